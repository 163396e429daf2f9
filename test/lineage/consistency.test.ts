import t from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { node } from '../../src/crypto/node.ts';
import { noble } from '../../src/crypto/noble.ts';
import {
  formatConsistency,
  isExtension,
  parseConsistency,
  verifyConsistencyProof,
} from '../../src/lineage/consistency.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { noteKey } from '../../src/lineage/note.ts';
import { signHead } from '../../src/lineage/seal.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { loadSigner, newKey } from '../../src/crypto/node.ts';

const signer = loadSigner(newKey());
const key = noteKey(node, { name: 'log.example/1', type: 'log', key: signer.key });
const noTiles = (): undefined => undefined;

/** Heads and proofs of a log that grows by one. */
function history(size: number): { heads: { origin: string; size: number; root: Uint8Array }[]; tree: Tree } {
  const tree = new Tree(node, noTiles);
  const heads = [{ origin: key.name, size: 0, root: tree.root() }];
  for (let i = 0; i < size; i++) {
    tree.push(leafHash(node, Buffer.from(`${i}`)));
    heads.push({ origin: key.name, size: i + 1, root: tree.root() });
  }
  return { heads, tree };
}

t.test('a proof to a checkpoint verifies, in its text too', (t) => {
  const { heads, tree } = history(70);
  const newest = heads[70];
  if (!newest) throw new Error('no head');
  const checkpoint = signHead(signer, key, newest);
  for (const old of heads) {
    const hashes = old.size === 0 ? [] : tree.consistency(old.size);
    const text = formatConsistency({ oldSize: old.size, hashes, checkpoint });
    const parsed = parseConsistency(text);
    t.match(parsed, { oldSize: old.size, checkpoint });
    t.strictSame(parsed?.hashes.map(toBase64), hashes.map(toBase64));
    for (const suite of [node, noble])
      t.equal(verifyConsistencyProof(suite, { old, text, keys: [key] })?.size, 70, `from ${old.size}`);
  }
  t.end();
});

t.test('every changed hash, a hash too many or too few, and another old head are refused', (t) => {
  const { heads, tree } = history(70);
  const [old, head] = [heads[37], heads[70]];
  if (!old || !head) throw new Error('no heads');
  const hashes = tree.consistency(37);
  t.ok(isExtension(node, { old, head, hashes }));
  for (const [i, hash] of hashes.entries()) {
    const changed = hash.slice();
    changed[i] = (changed[i] ?? 0) ^ 1;
    t.notOk(isExtension(node, { old, head, hashes: hashes.with(i, changed) }), `hash ${i}`);
    t.notOk(isExtension(node, { old, head, hashes: hashes.toSpliced(i, 1) }), `without ${i}`);
    t.notOk(isExtension(node, { old, head, hashes: hashes.toSpliced(i, 0, hash) }), `twice ${i}`);
  }
  t.notOk(isExtension(node, { old: { ...old, size: 36 }, head, hashes }));
  t.notOk(isExtension(node, { old: head, head: old, hashes }));
  t.notOk(isExtension(node, { old: { size: 0, root: old.root }, head, hashes }), 'hashes from nothing');
  t.end();
});

t.test('a text has one spelling, and its checkpoint must be the log’s', (t) => {
  const { heads, tree } = history(9);
  const [old, newest] = [heads[4], heads[9]];
  if (!old || !newest) throw new Error('no heads');
  const checkpoint = signHead(signer, key, newest);
  const text = formatConsistency({ oldSize: 4, hashes: tree.consistency(4), checkpoint });
  const verify = (given: string): unknown => verifyConsistencyProof(node, { old, text: given, keys: [key] });
  t.ok(verify(text));
  const hash = toBase64(newest.root);
  const rows: [string, string][] = [
    ['nothing', ''],
    ['no old line', text.replace('old 4\n', '')],
    ['a leading zero', text.replace('old 4', 'old 04')],
    ['a sign', text.replace('old 4', 'old +4')],
    ['another size', text.replace('old 4', 'old 5')],
    ['a size that is not safe', text.replace('old 4', 'old 9007199254740993')],
    ['two spaces', text.replace('old 4', 'old  4')],
    ['CR', text.replaceAll('\n', '\r\n')],
    ['no padding', text.replace('=\n', '\n')],
    ['a short hash', text.replace('old 4\n', 'old 4\nAAAA\n')],
    ['too many hashes', text.replace('old 4\n', `old 4\n${`${hash}\n`.repeat(64)}`)],
    ['no empty line', text.replace('\n\n', '\n')],
    ['no checkpoint', text.slice(0, text.indexOf('\n\n') + 2)],
    ['an unsigned checkpoint', text.slice(0, text.lastIndexOf('—'))],
    ['another checkpoint', text.replace(checkpoint, signHead(signer, key, { ...newest, root: old.root }))],
    ['of another log', text.replaceAll('log.example/1', 'log.example/2')],
  ];
  for (const [name, given] of rows) t.equal(verify(given), undefined, name);
  const other = { ...old, origin: 'log.example/2' };
  t.equal(verifyConsistencyProof(node, { old: other, text, keys: [key] }), undefined, 'known of another log');
  t.end();
});
