import t from 'tap';
import { loadSigner, newKey, node } from '../../../src/crypto/node.ts';
import { noble } from '../../../src/crypto/noble.ts';
import { cosign, cosignatureIn, cosignatures } from '../../../src/lineage/witness/cosignature.ts';
import type { Cosigner } from '../../../src/lineage/witness/cosignature.ts';
import { formatNoteKey, noteKey, parseNote, parseNoteKey } from '../../../src/lineage/note.ts';
import { signHead } from '../../../src/lineage/seal.ts';

const log = loadSigner(newKey());
const logKey = noteKey(node, { name: 'log.example/1', type: 'log', key: log.key });
const note = signHead(log, logKey, { origin: logKey.name, size: 3, root: new Uint8Array(32) });
const text = parseNote(note)?.text ?? '';

function witness(name: string): Cosigner {
  const { key, sign } = loadSigner(newKey());
  return { key: noteKey(node, { name, type: 'witness', key }), sign };
}

const [first, second] = [witness('witness.example/1'), witness('witness.example/2')];

t.test('cosignatures are read with their times, and unknown ones ignored', (t) => {
  const cosigned = note + cosign(first, text, 1_700_000_000) + cosign(second, text, 1_700_000_001);
  for (const suite of [node, noble]) {
    const found = cosignatures(suite, cosigned, [first.key, second.key, logKey]);
    t.strictSame(found, [
      { witness: first.key, time: 1_700_000_000 },
      { witness: second.key, time: 1_700_000_001 },
    ]);
    t.strictSame(cosignatures(suite, cosigned, [second.key])?.length, 1);
    t.strictSame(cosignatures(suite, cosigned, []), []);
  }
  t.strictSame(parseNoteKey(node, formatNoteKey(first.key)), first.key, 'the key as text');
  t.end();
});

t.test('a known witness’s signature that is wrong spoils the note', (t) => {
  const line = cosign(first, text, 1_700_000_000);
  const bytes = Buffer.from(line.trim().split(' ')[2] ?? '', 'base64');
  t.equal(bytes.length, 4 + 8 + 64);
  for (let i = 4; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    const bad = `${note}— ${first.key.name} ${changed.toString('base64')}\n`;
    t.equal(cosignatures(node, bad, [first.key]), undefined, `byte ${i}`);
  }
  const other = cosign(first, text.replace('3', '4'), 1_700_000_000);
  t.equal(cosignatures(node, note + other, [first.key]), undefined, 'of another head');
  t.equal(cosignatures(node, note + line + line, [first.key]), undefined, 'twice');
  const posed = line.replace(first.key.name, second.key.name);
  t.strictSame(cosignatures(node, note + posed, [first.key, second.key]), [], 'under another name: unknown');
  t.end();
});

t.test('a time after 2^63 is no time', (t) => {
  const line = cosign(first, text, 2 ** 63);
  t.equal(cosignatures(node, note + line, [first.key]), undefined);
  t.end();
});

t.test('of a witness’s answer only its own good line is taken', (t) => {
  const good = cosign(first, text, 1_700_000_000);
  const foreign = cosign(second, text, 1_700_000_000);
  const bad = cosign(first, text.replace('3', '4'), 1_700_000_000);
  const take = (answer: string): string | undefined =>
    cosignatureIn(node, { note, answer, witness: first.key });
  t.equal(take(good), good);
  t.equal(take(foreign + good), good);
  t.equal(take(bad + good), good);
  for (const answer of ['', 'ok\n', foreign, bad, good.slice(2), '—\n'.repeat(50)])
    t.equal(take(answer), undefined, answer);
  t.end();
});
