import { readFileSync } from 'node:fs';
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { certificatesIn } from '../../src/lineage/timestamp/certificate.ts';
import { timestampedBytes } from '../../src/lineage/timestamp/timestamp.ts';
import { existedBefore, limitsWith } from '../../src/receipt/existed.ts';
import type { Existed } from '../../src/receipt/verdict.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import { TIME_UNPROVEN } from '../../src/receipt/verdict.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { TestAuthority } from '../lineage/test-authority.ts';
import { unlessInstalled } from '../third-party/tool.ts';

const skip = unlessInstalled('openssl', 'version');
const read = (name: string): string =>
  readFileSync(new URL(`../vectors/witnessed/${name}`, import.meta.url), 'utf8');

t.test('an entry existed before a timestamp of a tree that has it', { skip }, async (t) => {
  const trust = parseTrust(node, read('trust.json'));
  if ('fault' in trust) throw new Error(trust.fault);
  const authority = new TestAuthority(t);
  const stamp = (checkpoint: string): Uint8Array =>
    authority.reply(authority.query(timestampedBytes(checkpoint) ?? '', '-cert'));
  const roots = certificatesIn(authority.pem('root')) ?? [];
  const denial = read('denial.body'); // entry 8, under 9 entries
  const own = verifyDenial(node, denial, trust).checkpoint ?? '';
  const [five, fourteen, fork] = [read('5.checkpoint'), read('14.checkpoint'), read('fresh.body')];
  const [toFive, toFourteen] = [read('5-to-9.consistency'), read('9-to-14.consistency')];

  const rows: [string, { of: string; body?: string; checkpoint?: string; consistency?: string }, string][] = [
    ['its own checkpoint', { of: own }, 'proven'],
    ['its own, and another is remembered', { of: own, checkpoint: fourteen, consistency: toFourteen }, 'proven'],
    ['a later one of the same history', { of: fourteen, checkpoint: fourteen, consistency: toFourteen }, 'proven'],
    ['a later one without the proof', { of: fourteen, checkpoint: fourteen }, 'not_checked'],
    ['a later one with a wrong proof', { of: fourteen, checkpoint: fourteen, consistency: toFive }, 'not_checked'],
    ['a later one that is not given', { of: fourteen }, 'timestamp_wrong_imprint'],
    ['one that nobody gave', { of: five, checkpoint: fourteen, consistency: toFourteen }, 'timestamp_wrong_imprint'],
    ['one from before the entry', { of: five, checkpoint: five, consistency: toFive }, 'timestamp_too_early'],
    ['a denial that is not anchored', { of: own, body: denial.replace('index 8', 'index 7') }, 'not_checked'],
    ['a statement, whatever is shown beside it', { of: own, body: denial.replace('"status":403', '"status":404') }, 'proven'],
    ['a denial that too few have cosigned', { of: own, body: fork }, 'not_checked'],
  ]; // prettier-ignore
  for (const [name, { of, body = denial, checkpoint, consistency }, wanted] of rows) {
    const remembered = checkpoint === undefined ? undefined : { checkpoint, consistency };
    const verdict = verifyDenial(node, body, { ...trust, remembered });
    const found = await existedBefore(verdict, { response: stamp(of), roots, remembered: checkpoint });
    t.equal(codeOf(found), wanted, name);
    t.equal(limitsWith(verdict, found).includes(TIME_UNPROVEN), verdict.unproven.includes(TIME_UNPROVEN) && !found.proven, `${name}: what stays open`); // prettier-ignore
  }
  const verdict = verifyDenial(node, denial, trust);
  const found = await existedBefore(verdict, { response: stamp(own), roots, remembered: undefined });
  t.match(found, { detail: /^before \d{4}-\d\d-\d\dT[\d:.]+Z according to CN=tsa$/, by: 'CN=tsa' });
  t.match(limitsWith(verdict, found).join('\n'), /but that it was before[^]*not revoked/);
  const nobody = await existedBefore(verdict, { response: stamp(own), roots: [], remembered: undefined });
  t.equal(codeOf(nobody), 'timestamp_untrusted', 'without roots');
});

function codeOf(found: Existed): string {
  return found.proven ? 'proven' : found.code;
}
