import t from 'tap';
import { noble } from '../../src/crypto/noble.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { cosign } from '../../src/lineage/witness/cosignature.ts';
import { noteKey, parseNote } from '../../src/lineage/note.ts';
import { formatTrust, parseTrust } from '../../src/receipt/trust-file.ts';
import type { Trust } from '../../src/receipt/trust-file.ts';
import type { Answer } from '../../src/receipt/verdict.ts';
import { verifyCheckpoint } from '../../src/receipt/verify-checkpoint.ts';
import type { Remembered } from '../../src/receipt/verify-checkpoint.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';

const NAME = 'log.example/1';
const log = new GrowingLog(NAME).grow(7);
const at7 = log.checkpoint();
const toItself = log.request(7);
const from7 = log.grow(5).request(7);
const at12 = log.checkpoint();
const other = new GrowingLog(NAME, log.signer).grow(12, 'other ');
const stranger = new GrowingLog(NAME).grow(7);
const elsewhere = new GrowingLog('log.example/2', log.signer).grow(7);

const cosigners = ['a.example', 'b.example', 'c.example'].map((name) => {
  const { key, sign } = loadSigner(newKey());
  return { key: noteKey(node, { name, type: 'witness', key }), sign };
});

function trusting(quorum = 0): Trust {
  const witnesses = quorum === 0 ? undefined : { keys: cosigners.map(({ key }) => key), quorum };
  const receiptKey = loadSigner(newKey()).key;
  const trust = parseTrust(node, formatTrust(receiptKey, log.key, witnesses), 'the test');
  if ('fault' in trust) throw new Error(trust.fault);
  return trust;
}

function cosigned(note: string, count: number, time = 1_700_000_000): string {
  const text = parseNote(note)?.text ?? '';
  return cosigners.slice(0, count).reduce((sum, cosigner) => sum + cosign(cosigner, text, time), note);
}

const word = (answer: Answer): string => (answer.proven ? 'yes' : answer.code);

/** The three answers in short, the same from both suites. */
function answers(note: string, trust: Trust, remembered?: Remembered): string {
  const [first, second] = [node, noble].map((suite) => {
    const { authentic, witnessed, appendOnly } = verifyCheckpoint(suite, note, { ...trust, remembered });
    return [authentic, witnessed, appendOnly].map(word).join(' ');
  });
  return first === second ? (first ?? '') : 'the suites differ';
}

t.test('a checkpoint is held against what is remembered of its log', (t) => {
  const trust = trusting();
  const verdict = verifyCheckpoint(node, at12, {
    ...trust,
    remembered: { checkpoint: at7, consistency: from7 },
  });
  t.match(verdict, { origin: NAME, size: 12, checkpoint: at12, keysFrom: 'the test', cosigned: [] });
  t.match(verdict.appendOnly, { proven: true, detail: 'append-only from 7 to 12 entries' });
  t.match(
    verdict.unproven.join('\n'),
    /no witness[^]*the end: nothing shows what the log holds after 12 entries/,
  );
  const changed = from7.replace(/\n[^\n]/, (start) => (start === '\nA' ? '\nB' : '\nA'));
  const rows: [string, string, Remembered | undefined, string][] = [
    ['nothing remembered', at12, undefined, 'not_checked'],
    ['an older one', at12, { checkpoint: at7, consistency: from7 }, 'yes'],
    ['hashes alone, as a sidecar serves them', at12, { checkpoint: at7, consistency: from7.slice(0, from7.indexOf('\n\n') + 2) }, 'yes'],
    ['a newer one', at7, { checkpoint: at12, consistency: from7 }, 'yes'],
    ['the same', at12, { checkpoint: at12 }, 'yes'],
    ['another tree of that size', at12, { checkpoint: other.checkpoint() }, 'log_forked'],
    ['no proof', at12, { checkpoint: at7 }, 'consistency_missing'],
    ['what is no proof', at12, { checkpoint: at7, consistency: at7 }, 'consistency_malformed'],
    ['a changed proof', at12, { checkpoint: at7, consistency: changed }, 'consistency_wrong'],
    ['a proof from another size', at12, { checkpoint: at7, consistency: log.request(8) }, 'consistency_wrong'],
    ['a proof that names another size', at12, { checkpoint: at7, consistency: from7.replace('old 7', 'old 6') }, 'consistency_wrong'],
    ['a proof from nothing', at12, { checkpoint: at7, consistency: log.request(0) }, 'consistency_wrong'],
    ['a proof to an older one', at12, { checkpoint: at7, consistency: toItself }, 'consistency_wrong'],
    ['another history', at12, { checkpoint: at7, consistency: other.request(7) }, 'consistency_wrong'],
    ['a stranger’s', at12, { checkpoint: stranger.checkpoint(), consistency: from7 }, 'remembered_untrusted'],
    ['another log’s', at12, { checkpoint: elsewhere.checkpoint(), consistency: from7 }, 'remembered_untrusted'],
    ['no checkpoint', at12, { checkpoint: 'x', consistency: from7 }, 'remembered_untrusted'],
  ]; // prettier-ignore
  for (const [name, note, remembered, wanted] of rows)
    t.equal(answers(note, trust, remembered), `yes not_checked ${wanted}`, name);
  t.end();
});

t.test('what is not signed by the trusted key of its log is not authentic', (t) => {
  const trust = trusting();
  const rows: [string, string, string][] = [
    ['nothing', '', 'checkpoint_malformed'],
    ['a note that is no checkpoint', at12.replace('\n12\n', '\ntwelve\n'), 'checkpoint_malformed'],
    ['another size', at12.replace('\n12\n', '\n13\n'), 'checkpoint_bad_signature'],
    ['another root', at12.replace(/\n12\n./, '\n12\n+'), 'checkpoint_bad_signature'],
    ['a stranger of this name', stranger.checkpoint(), 'checkpoint_bad_signature'],
    ['another log', elsewhere.checkpoint(), 'checkpoint_wrong_log'],
  ];
  for (const [name, note, wanted] of rows)
    t.equal(answers(note, trust, { checkpoint: at7, consistency: from7 }), `${wanted} not_checked not_checked`, name);
  t.end();
}); // prettier-ignore

t.test('a quorum of witnesses answers whether everyone is shown the same log', (t) => {
  const trust = trusting(2);
  const verdict = verifyCheckpoint(noble, cosigned(at12, 2), trust);
  t.match(verdict.witnessed, { proven: true, detail: /^cosigned by 2 of 3 witnesses/ });
  t.strictSame(verdict.cosigned, [{ name: 'a.example', time: 1_700_000_000 }, { name: 'b.example', time: 1_700_000_000 }]);
  t.notMatch(verdict.unproven.join('\n'), /witness/);
  const spoilt = cosigned(at12, 2).replace(/(— b\.example .{40})./, (_, head: string) => `${head}+`);
  const rows: [string, string, Trust, string][] = [
    ['all', cosigned(at12, 3), trust, 'yes yes'],
    ['enough', cosigned(at12, 2), trust, 'yes yes'],
    ['too few', cosigned(at12, 1), trust, 'yes witnesses_missing'],
    ['none', at12, trust, 'yes witnesses_missing'],
    ['nobody asked for any', cosigned(at12, 3), trusting(), 'yes not_checked'],
    ['cosignatures of another checkpoint', at12 + cosigned(at7, 2).slice(at7.length), trust, 'checkpoint_bad_signature not_checked'],
    ['a spoilt one', spoilt, trust, 'checkpoint_bad_signature not_checked'],
    ['the log’s signature missing', cosigned(at12, 2).replace(/— log[^\n]*\n/, ''), trust, 'checkpoint_bad_signature not_checked'],
    ['a time that no calendar has', cosigned(at12, 2, 2 ** 62), trust, 'yes yes'],
  ];
  for (const [name, note, given, wanted] of rows) t.equal(answers(note, given), `${wanted} not_checked`, name);
  t.end();
}); // prettier-ignore
