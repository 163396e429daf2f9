import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import t from 'tap';
import ts from 'typescript';
import { compareViews } from '../../src/lineage/witness/fork-compare.ts';
import { formatFork } from '../../src/lineage/witness/fork.ts';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import { toBase64 } from '../../src/crypto/base64.ts';
import { verifyCheckpoint as verifyHead } from '../../src/lineage/checkpoint.ts';
import { proofText } from '../../src/lineage/proof.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { tilesFromFiles } from '../../src/lineage/tiles/source.ts';
import { formatTrust } from '../../src/receipt/trust-file.ts';
import { readTrust, verifyCheckpoint, verifyConsistency, verifyDenial, verifyFork, verifyInclusion, verifyReceipt } from '../../src/receipt/verifier.ts'; // prettier-ignore
import type { EntryVerdict, TrustedKeys } from '../../src/receipt/verifier.ts';
import { verifyReceipt as verifyReceiptOn } from '../../src/receipt/verify.ts';
import { forkedLogs } from '../lineage/forked-logs.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';
import { deniedCall } from './denied-call.ts';

function trusted(text: string): TrustedKeys {
  const trust = readTrust(text, 'the test');
  if ('fault' in trust) throw new Error(trust.fault);
  return trust;
}

/** The four answers in short. */
function answers({ authentic, untampered, anchored, appendOnly }: EntryVerdict): string {
  return [authentic, untampered, anchored, appendOnly]
    .map((answer) => (answer.proven ? 'yes' : answer.code))
    .join(' ');
}

t.test('a denial has four answers, says where the keys came from, and which end is unproven', (t) => {
  const { body, trust } = deniedCall(scratchFolder(t));
  const keys = trusted(trust);
  const first = verifyDenial(body, keys);
  t.equal(answers(first), 'yes yes yes not_checked');
  t.equal(first.keysFrom, 'the test');
  t.match(first.unproven.at(-1), /^the end: nothing shows what the log holds after 9 entries$/);
  const again = verifyDenial(body, keys, { checkpoint: first.checkpoint ?? '' });
  t.equal(answers(again), 'yes yes yes yes');
  t.match(again.appendOnly, { detail: 'append-only from 9 to 9 entries' });
  const flipped = verifyDenial(body.replace('"payload":"eyJf', '"payload":"eyJg'), keys, { checkpoint: '' });
  t.equal(answers(flipped), 'receipt_bad_signature not_checked not_checked not_checked');
  t.match(flipped, { statement: undefined, checkpoint: undefined, unproven: [], keysFrom: 'the test' });
  t.match(readTrust('{}', 'x'), { fault: /receiptKeys/ });
  t.end();
});

t.test('any entry has a receipt, and is provable without one', (t) => {
  const log = makeScratchLog(join(scratchFolder(t), 'home'));
  const store = openStore(log);
  fill(store, 11, 4);
  const keys = trusted(formatTrust(log.identity.receiptKey, log.identity.logKey));
  for (const { seq, bytes } of readEntries(log.layout.segments)) {
    const proof = proofText(seq, (store.inclusion(seq) ?? []).map(toBase64), store.head);
    const receipt = log.seal.receipt(bytes);
    t.equal(answers(verifyReceipt({ receipt, proof }, keys)), 'yes not_checked yes not_checked', `entry ${seq}`);
    const included = verifyInclusion({ entry: bytes, proof }, keys);
    t.equal(answers(included), 'not_checked not_checked yes not_checked');
    t.match(included.statement, { predicate: { entry: { seq } } });
  }
  const [entry, next] = [...readEntries(log.layout.segments)].slice(4).map(({ bytes }) => bytes);
  const proof = proofText(4, (store.inclusion(4) ?? []).map(toBase64), store.head);
  const receipt = log.seal.receipt(entry ?? Buffer.of());
  store.close();
  const rows: [string, { receipt: string; proof: string }, string][] = [
    ['no receipt', { receipt: 'null', proof }, 'receipt_missing not_checked not_checked not_checked'],
    ['a denial’s body', { receipt: '{"receipt":null}', proof }, 'receipt_malformed not_checked not_checked not_checked'],
    ['not JSON', { receipt: receipt.slice(1), proof }, 'receipt_malformed not_checked not_checked not_checked'],
    ['another payload', { receipt: receipt.replace('eyJf', 'eyJg'), proof }, 'receipt_bad_signature not_checked not_checked not_checked'],
    ['what is no entry', { receipt: log.seal.receipt(Buffer.from('{}')), proof }, 'statement_malformed not_checked not_checked not_checked'],
    ['a subject that is another’s', { receipt: log.seal.receipt(Buffer.from(String(entry).replace(/("sha3_512":")[^"]{8}(?=[^"]*"},"name":)/, '$100000000'))), proof }, 'statement_malformed not_checked not_checked not_checked'],
    ['a subject by SHA-256 alone', { receipt: log.seal.receipt(Buffer.from(String(entry).replace(/,"sha3_512":"[^"]*"(?=},"name":)/, ''))), proof }, 'statement_malformed not_checked not_checked not_checked'],
    ['no proof', { receipt, proof: '' }, 'yes not_checked proof_malformed not_checked'],
    ['a proof of another entry', { receipt: log.seal.receipt(next ?? Buffer.of()), proof }, 'yes not_checked proof_wrong_index not_checked'],
  ]; // prettier-ignore
  for (const [name, given, wanted] of rows) {
    t.equal(answers(verifyReceipt(given, keys)), wanted, name);
    for (const suite of [node, noble]) t.equal(answers(verifyReceiptOn(suite, given, keys)), wanted);
  }
  const changed = (entry ?? Buffer.of()).with(40, 0x58);
  t.match(answers(verifyInclusion({ entry: changed, proof }, keys)), /^(not_checked not_checked proof_wrong_root|statement_malformed)/);
  t.end();
}); // prettier-ignore

t.test('a checkpoint, what it continues, and a fork are verified from their texts', async (t) => {
  const log = new GrowingLog('log.example/1').grow(5);
  const old = log.checkpoint();
  const proof = log.grow(9).request(5);
  const { trust } = deniedCall(scratchFolder(t));
  const keys = { ...trusted(trust), logs: [log.key] };
  t.match(verifyCheckpoint(old, keys), { authentic: { proven: true }, size: 5 });
  t.match(verifyConsistency({ old, proof }, keys), { appendOnly: { proven: true }, size: 14 });
  t.match(verifyConsistency({ old: proof, proof }, keys), { appendOnly: { code: 'remembered_untrusted' } });
  t.match(verifyConsistency({ old, proof: old }, keys), { authentic: { code: 'checkpoint_malformed' } });

  const logs = forkedLogs(scratchFolder(t), { common: 5, a: 7, b: 12 });
  const [a, b] = [logs.a, logs.b].map(({ layout, identity }) => {
    const note = readFileSync(layout.checkpoint, 'utf8');
    const head = verifyHead(node, note, [identity.logKey]);
    if (!head) throw new Error('no checkpoint');
    return { head, note, tiles: tilesFromFiles(layout) };
  });
  if (!a || !b) throw new Error('two logs');
  const compared = await compareViews(noble, a, b);
  const fork = compared.verdict === 'forked' ? formatFork(compared.evidence) : '';
  const both = { ...keys, logs: [logs.a.identity.logKey] };
  t.strictSame(verifyFork(fork, both), { origin: logs.a.identity.origin, sizes: [7, 12] });
  t.match(verifyFork(fork, keys), { fault: /not signed by a log key that is trusted/ });
});

t.test('no text makes a verifier throw', (t) => {
  const { body, trust } = deniedCall(scratchFolder(t));
  const keys = trusted(trust);
  const proof = String((JSON.parse(body) as { proof: unknown }).proof);
  const junk = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.nat(proof.length - 1).map((at) => proof.slice(at + 1)),
    fc.nat(body.length - 1).map((at) => body.slice(0, at)),
  );
  const never = (verify: (a: string, b: string) => boolean): void =>
    fc.assert(fc.property(junk, junk, verify));
  never((text, checkpoint) => !verifyDenial(text, keys, { checkpoint }).authentic.proven);
  never((receipt, proof) => !verifyReceipt({ receipt, proof }, keys).authentic.proven);
  never((text, proof) => !verifyInclusion({ entry: Buffer.from(text), proof }, keys).anchored.proven);
  never((old, proof) => !verifyConsistency({ old, proof }, keys).appendOnly.proven);
  never(
    (checkpoint, consistency) => !verifyCheckpoint(body, keys, { checkpoint, consistency }).authentic.proven,
  );
  never((text) => 'fault' in verifyFork(text, keys) && 'fault' in readTrust(text, ''));
  t.end();
});

t.test('nothing below the verifier imports Node', (t) => {
  const packages = new Set<string>();
  const files = new Set<string>();
  const walk = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const name of importsOf(file)) {
      if (name.startsWith('.')) walk(join(dirname(file), name));
      else packages.add(name);
    }
  };
  walk(fileURLToPath(new URL('../../src/receipt/verifier.ts', import.meta.url)));
  t.ok(files.size > 15, 'the walk went somewhere');
  const always = ['@noble/ed25519', '@noble/hashes/blake2.js', '@noble/hashes/sha2.js', '@noble/hashes/sha3.js', 'canonicalize'];
  t.strictSame([...packages].sort(), [...always, 'asn1js', 'pkijs'].sort(), 'the last two read timestamps, and are loaded then only');
  const own = importsOf(fileURLToPath(import.meta.url));
  t.ok(own.includes('node:fs'), 'and it would see one');
  t.end();
}); // prettier-ignore

/** What a file imports once its types are gone. */
function importsOf(file: string): readonly string[] {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  return ts.preProcessFile(outputText, true, true).importedFiles.map(({ fileName }) => fileName);
}
