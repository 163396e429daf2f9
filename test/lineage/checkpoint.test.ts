import * as fc from 'fast-check';
import t from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { loadSigner, newKey, node, sha256Hex } from '../../src/crypto/node.ts';
import { headText, isOriginOf, originOf, parseHead, verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { noteKey } from '../../src/lineage/note.ts';
import { signHead } from '../../src/lineage/seal.ts';

const signer = loadSigner(newKey());
const origin = originOf(node, 'localhost/writ', signer.key);
const key = noteKey(node, { name: origin, type: 'log', key: signer.key });
const head = { origin, size: 7, root: new Uint8Array(32).fill(9) };
const text = headText(head);

t.test('an origin is bound to the log’s key', (t) => {
  t.equal(origin, `localhost/writ/${sha256Hex(signer.key.bytes).slice(0, 16)}`);
  t.ok(isOriginOf(node, origin, signer.key));
  t.notOk(isOriginOf(node, origin, loadSigner(newKey()).key), 'not to another key');
  t.notOk(isOriginOf(node, origin.replace(/.$/, 'x'), signer.key), 'not with another ending');
  t.notOk(isOriginOf(node, '', signer.key), 'not without a name');
  t.end();
});

t.test('a head is three lines in one spelling', (t) => {
  t.strictSame(parseHead(text), head);
  const root = toBase64(head.root);
  const rows: [string, string][] = [
    ['no final newline', text.slice(0, -1)],
    ['an extension line', `${text}more\n`],
    ['a leading zero', text.replace('\n7\n', '\n07\n')],
    ['a negative size', text.replace('\n7\n', '\n-7\n')],
    ['an unsafe size', text.replace('\n7\n', '\n9007199254740993\n')],
    ['a space after the size', text.replace('\n7\n', '\n7 \n')],
    ['no origin', text.replace(origin, '')],
    ['a short root', text.replace(root, toBase64(head.root.slice(1)))],
    ['a root without padding', text.replace('=\n', '\n')],
    ['nothing', ''],
  ];
  for (const [name, given] of rows) t.equal(parseHead(given), undefined, name);
  t.end();
});

t.test('a checkpoint counts only with the signature of its own origin’s key', (t) => {
  const good = signHead(signer, key, head);
  t.match(verifyCheckpoint(node, good, [key]), { ...head, log: key, witnesses: [] });
  const other = loadSigner(newKey());
  const otherKey = noteKey(node, { name: 'other.example/log', type: 'log', key: other.key });
  t.equal(verifyCheckpoint(node, good, [otherKey]), undefined, 'unknown log');
  t.equal(
    verifyCheckpoint(node, signHead(other, otherKey, head), [otherKey, key]),
    undefined,
    'another log’s key',
  );
  const witness = noteKey(node, { name: origin, type: 'witness', key: signer.key });
  t.equal(verifyCheckpoint(node, good, [witness]), undefined, 'the same key as a witness');
  t.equal(verifyCheckpoint(node, good.replace('\n7\n', '\n8\n'), [key]), undefined, 'another size');
  t.end();
});

t.test('every changed byte of a checkpoint is found', (t) => {
  const good = Buffer.from(signHead(signer, key, head));
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 4;
    if (verifyCheckpoint(node, bad.toString('latin1'), [key])) t.fail(`byte ${at}`);
    if (verifyCheckpoint(node, bad.toString('utf8'), [key])) t.fail(`byte ${at}, as UTF-8`);
  }
  t.pass(`${good.length} bytes`);
  t.end();
});

t.test('any head survives the way to text and back', (t) => {
  const heads = fc.record({
    origin: fc.stringMatching(/^[!-~é]{1,40}$/),
    size: fc.maxSafeNat(),
    root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  fc.assert(fc.property(heads, (given) => headText(parseHead(headText(given)) ?? head) === headText(given)));
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (junk) => void verifyCheckpoint(node, junk, [key])));
  t.end();
});
