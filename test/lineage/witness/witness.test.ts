import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadSigner, newKey, node } from '../../../src/crypto/node.ts';
import { cosign, cosignatures } from '../../../src/lineage/witness/cosignature.ts';
import { verifyFork } from '../../../src/lineage/witness/fork.ts';
import { formatNote, noteKey, parseNote } from '../../../src/lineage/note.ts';
import { signHead } from '../../../src/lineage/seal.ts';
import {
  createWitness,
  keepFork,
  readCosigner,
  readLogs,
  witnessLayout,
} from '../../../src/lineage/witness/home.ts';
import { createWitnessMemory, WitnessFile } from '../../../src/lineage/witness/memory.ts';
import { Witness } from '../../../src/lineage/witness/witness.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { NOW } from '../scratch-log.ts';
import { GrowingLog } from '../witnessed-log.ts';

const NAME = 'log.example/1';

/** A witness that knows these logs, with its memory in a file. */
function makeWitness(t: Parameters<typeof scratchFolder>[0], ...known: readonly GrowingLog[]) {
  const path = join(scratchFolder(t), 'memory.db');
  createWitnessMemory(path);
  const memory = new WitnessFile(path);
  t.teardown(() => memory.close());
  const { key, sign } = loadSigner(newKey());
  const cosigner = { key: noteKey(node, { name: 'witness.example/1', type: 'witness', key }), sign };
  const logs = known.map((log) => log.key);
  const witness = new Witness({ suite: node, cosigner, memory, logs: () => logs, clock: () => NOW });
  return { witness, cosigner, memory, path };
}

t.test('a log that grows is cosigned, with the time', (t) => {
  const log = new GrowingLog(NAME);
  const { witness, cosigner } = makeWitness(t, log);
  let old = 0;
  for (const size of [0, 1, 2, 3, 7, 8, 9, 9, 300]) {
    const answer = witness.addCheckpoint(log.grow(size - old).request(old));
    t.match(answer, { status: 200, type: 'text/plain; charset=utf-8', origin: NAME }, `${old} to ${size}`);
    const [found] = cosignatures(node, log.checkpoint() + answer.body, [cosigner.key]) ?? [];
    t.equal(found?.time, Math.floor(NOW / 1000));
    old = size;
  }
  t.end();
});

t.test('every refusal has the status of the specification, and changes nothing', (t) => {
  const log = new GrowingLog(NAME).grow(5);
  const { witness } = makeWitness(t, log);
  t.equal(witness.addCheckpoint(log.request(0)).status, 200);
  log.grow(4);
  const good = log.request(5);
  const stranger = new GrowingLog('log.example/2').grow(9);
  const impostor = new GrowingLog(NAME).grow(9);
  const other = new GrowingLog(NAME, log.signer).grow(5).grow(4, 'other');
  const rewritten = new GrowingLog(NAME, log.signer).grow(9, 'new');
  const short = new GrowingLog(NAME, log.signer).grow(3);
  const sized = (size: number): string => signHead(log.signer, log.key, { origin: NAME, size, root: new Uint8Array(32) });
  const badSignature = good.replace(/— (\S+) (.{8})(.)/u, (_, name, head, letter) => `— ${String(name)} ${String(head)}${letter === 'A' ? 'B' : 'A'}`);
  const alien = formatNote(parseNote(good.slice(good.indexOf('\n\n') + 2))?.text ?? '', { name: NAME, id: Uint8Array.of(1, 2, 3, 4), signature: new Uint8Array(64) });
  const rows: [string, string, number][] = [
    ['nothing', '', 400],
    ['no checkpoint', 'old 0\n\n', 400],
    ['a checkpoint alone', log.checkpoint(), 400],
    ['CR LF', good.replaceAll('\n', '\r\n'), 400],
    ['an old size with a leading zero', good.replace('old 5', 'old 05'), 400],
    ['an extension line', good.replace(/(\n9\n.*\n)\n/, '$1more\n\n'), 400],
    ['64 proof lines', good.replace('old 5\n', `old 5\n${`${'A'.repeat(43)}=\n`.repeat(64)}`), 400],
    ['another log', stranger.request(0), 404],
    ['another key under the log’s name', impostor.request(5), 403],
    ['a broken signature', badSignature, 403],
    ['only a signature of an unknown key', `old 5\n\n${alien}`, 403],
    ['no signature', good.slice(0, good.lastIndexOf('— ')), 400],
    ['an old size over the checkpoint’s', log.request(10), 400],
    ['a smaller tree', short.request(3), 409],
    ['an old size of before', log.request(4), 409],
    ['an old size of zero', log.request(0), 409],
    ['an empty tree', `old 0\n\n${sized(0)}`, 409],
    ['no proof', good.replace(/^(old 5\n)[^]*?\n\n/, '$1\n'), 422],
    ['another proof', good.replace(/^old 5\n./, (line) => `old 5\n${line.endsWith('A') ? 'B' : 'A'}`), 422],
    ['a rewritten history', rewritten.request(5), 422],
    ['a root made up', `old 5\n\n${sized(5)}`, 422],
  ]; // prettier-ignore
  for (const [name, body, status] of rows) {
    const answer = witness.addCheckpoint(body);
    t.equal(answer.status, status, name);
    if (status === 409) t.match(answer, { type: 'text/x.tlog.size', body: '5\n' }, name);
  }
  t.equal(witness.addCheckpoint(other.request(5)).status, 200, 'the first to extend it is the log');
  t.match(witness.addCheckpoint(good), { status: 409, body: '9\n' }, 'the other is too late');
  t.end();
}); // prettier-ignore

t.test('a log that signed two trees of one size is shown up by the answer', (t) => {
  const log = new GrowingLog(NAME).grow(5);
  const fork = new GrowingLog(NAME, log.signer).grow(5, 'fork');
  const { witness } = makeWitness(t, log);
  witness.addCheckpoint(log.request(0));
  for (const [old, status] of [[5, 422], [0, 409], [3, 409]] as const) {
    const answer = witness.addCheckpoint(fork.request(old));
    t.equal(answer.status, status);
    t.match(verifyFork(node, answer.fork ?? '', [log.key]), { fork: { first: { size: 5 } } }, `from ${old}`);
  }
  t.equal(witness.addCheckpoint(log.request(5)).fork, undefined);
  t.end();
}); // prettier-ignore

t.test('of a checkpoint with many signatures the log’s own is kept, and ours added', (t) => {
  const log = new GrowingLog(NAME).grow(2);
  const { witness, memory, cosigner } = makeWitness(t, log);
  const { key, sign } = loadSigner(newKey());
  const foreign = { key: noteKey(node, { name: 'witness.example/2', type: 'witness', key }), sign };
  const text = parseNote(log.checkpoint())?.text ?? '';
  const answer = witness.addCheckpoint(`${log.request(0)}${cosign(foreign, text, 1)}`);
  const hash = Buffer.from(node.sha256(NAME)).toString('hex');
  t.equal(memory.latest(hash), log.checkpoint() + answer.body);
  t.equal(cosignatures(node, memory.latest(hash) ?? '', [cosigner.key])?.length, 1);
  t.end();
});

t.test('many logs are kept apart', (t) => {
  const logs = Array.from({ length: 20 }, (_, i) => new GrowingLog(`log.example/${i}`).grow(i));
  const { witness } = makeWitness(t, ...logs);
  for (const log of logs) t.equal(witness.addCheckpoint(log.request(0)).status, 200);
  for (const [i, log] of logs.entries()) t.equal(witness.addCheckpoint(log.grow(i).request(i)).status, 200);
  t.end();
});

t.test('what cannot be remembered is not cosigned', (t) => {
  const log = new GrowingLog(NAME).grow(2);
  const { witness, memory, path } = makeWitness(t, log);
  t.equal(witness.addCheckpoint(log.request(0)).status, 200);
  const busy = new WitnessFile(path);
  t.throws(() => busy.update(NAME, () => { throw new Error('no'); }), 'a decision that fails is rolled back');
  busy.update(NAME, () => ({ answer: 1, remember: 'garbage' }));
  t.throws(() => witness.addCheckpoint(log.grow(1).request(2)), /something else than a checkpoint/, 'a bad memory is not an empty one');
  busy.close();
  memory.close();
  t.throws(() => witness.addCheckpoint(log.request(2)));
  t.end();
}); // prettier-ignore

t.test('a witness is made once, and is nothing without its memory', (t) => {
  const folder = join(scratchFolder(t), 'witness');
  const layout = witnessLayout(folder);
  t.equal(createWitness(folder, 'witness.example/1'), true);
  const { key } = readCosigner(layout.key);
  t.equal(statSync(layout.key).mode & 0o777, 0o600);
  t.equal(createWitness(folder, 'witness.example/9'), false, 'nothing is changed');
  t.strictSame(readCosigner(layout.key).key, key);
  t.strictSame(readLogs(layout.logs), []);
  writeFileSync(layout.logs, `log ${'x'}\nquorum none\n`);
  t.match(readLogs(layout.logs), { fault: /logs: line 1/ });
  t.throws(() => createWitness(join(folder, 'x'), 'a name'), /cannot be named/);
  for (let i = 0; i < 101; i++) keepFork(layout.forks, `fork ${i}`);
  t.equal(keepFork(layout.forks, 'one more'), undefined, 'who floods it fills no disk');
  t.ok(keepFork(layout.forks, 'fork 0'));
  t.end();
});
