import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyFork } from '../../src/lineage/witness/fork.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import type { LogVerdict, Verdict } from '../../src/receipt/verdict.ts';
import { verifyCheckpoint } from '../../src/receipt/verify-checkpoint.ts';
import { verifyDenial, verifyInclusion, verifyReceipt } from '../../src/receipt/verify.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

/** Written once by version 0.1.0 and never again: what was handed out must verify for as long as anyone keeps it. */
const VECTORS = fileURLToPath(new URL('../vectors/evidence', import.meta.url));
const vector = (name: string): string => readFileSync(join(VECTORS, name), 'utf8');

t.test('denials that were handed out still verify', (t) => {
  for (const suite of [node, noble]) {
    const rows: [string, string, boolean][] = [
      ['denial.body', 'trust.json', true],
      ['refusal.body', 'refusal-trust.json', false],
    ];
    for (const [body, trustFile, anchored] of rows) {
      const trust = parseTrust(suite, vector(trustFile));
      if ('fault' in trust) throw new Error(trust.fault);
      const verdict = verifyDenial(suite, vector(body), trust);
      t.match(
        verdict,
        { authentic: { proven: true }, untampered: { proven: true }, anchored: { proven: anchored } },
        body,
      );
    }
  }
  t.end();
});

const WITNESSED = fileURLToPath(new URL('../vectors/witnessed', import.meta.url));

t.test('what was witnessed, received, compared and found forked still verifies', (t) => {
  const given = (name: string): string => readFileSync(join(WITNESSED, name), 'utf8');
  const older = { checkpoint: given('5.checkpoint'), consistency: given('5-to-9.consistency') };
  const newer = { checkpoint: given('14.checkpoint'), consistency: given('9-to-14.consistency') };
  const swapped = { checkpoint: older.checkpoint, consistency: newer.consistency };
  const receipt = { receipt: given('3.receipt'), proof: given('3.tlog-proof') };
  for (const suite of [node, noble]) {
    const trust = parseTrust(suite, given('trust.json'));
    if ('fault' in trust) throw new Error(trust.fault);
    const rows: [string, Verdict | LogVerdict, object][] = [
      ['denial', verifyDenial(suite, given('denial.body'), trust), { ...yes('authentic', 'untampered', 'anchored'), cosigned: [{ name: 'witness.example/a' }, { name: 'witness.example/b' }] }],
      ['denial, older', verifyDenial(suite, given('denial.body'), { ...trust, remembered: older }), yes('appendOnly')],
      ['denial, newer', verifyDenial(suite, given('denial.body'), { ...trust, remembered: newer }), yes('appendOnly')],
      ['denial, wrong proof', verifyDenial(suite, given('denial.body'), { ...trust, remembered: swapped }), { anchored: { proven: true }, appendOnly: { code: 'consistency_wrong' } }],
      ['denial, not cosigned yet', verifyDenial(suite, given('fresh.body'), trust), { ...yes('authentic', 'untampered'), anchored: { code: 'witnesses_missing' } }],
      ['receipt', verifyReceipt(suite, receipt, trust), yes('authentic', 'anchored')],
      ['entry', verifyInclusion(suite, { entry: Buffer.from(given('3.entry')), proof: receipt.proof }, trust), yes('anchored')],
      ['checkpoint', verifyCheckpoint(suite, given('14.checkpoint'), trust), yes('authentic', 'witnessed')],
    ];
    for (const [name, verdict, wanted] of rows) t.match(verdict, wanted, name);
    t.match(verifyFork(suite, given('fork.json'), trust.logs), { fork: { first: { size: 12 }, second: { size: 14 } } });
  }
  t.end();
}); // prettier-ignore

function yes(...answers: readonly string[]): object {
  return Object.fromEntries(answers.map((answer) => [answer, { proven: true }]));
}

t.test('a log that was written still verifies', (t) => {
  const home = scratchFolder(t);
  cpSync(join(VECTORS, 'log'), home, { recursive: true });
  const layout = layoutOf(home);
  const { logKey } = readIdentity(layout);
  t.match(verifyLog({ layout, logKey }), { ok: true, size: 9, vouched: 9, torn: 0 });
  t.equal([...readEntries(layout.segments)].length, 9);
  t.end();
});
