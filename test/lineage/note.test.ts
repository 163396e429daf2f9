import * as fc from 'fast-check';
import t from 'tap';
import { fromBase64, toBase64 } from '../../src/crypto/base64.ts';
import { concatBytes, encodeUtf8 } from '../../src/crypto/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import {
  formatNote,
  formatNoteKey,
  noteKey,
  noteSigners,
  parseNote,
  parseNoteKey,
} from '../../src/lineage/note.ts';
import type { NoteKey } from '../../src/lineage/note.ts';

/** The example of c2sp.org/signed-note's Go package. */
const VKEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const SIGNATURE =
  'Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=';
const TEXT = 'This is an example message.\n';
const NOTE = `${TEXT}\n— example.com/foo ${SIGNATURE}\n`;

const exampleKey = parseNoteKey(node, VKEY);
const signersOf = (text: string, keys: readonly (NoteKey | undefined)[]): number | undefined => {
  const note = parseNote(text);
  return (
    note &&
    noteSigners(
      node,
      note,
      keys.filter((key) => key !== undefined),
    )?.length
  );
};

t.test('the known note verifies, with both suites', (t) => {
  for (const suite of [node, noble]) {
    const key = parseNoteKey(suite, VKEY);
    const note = parseNote(NOTE);
    t.strictSame(note && key && noteSigners(suite, note, [key]), [key]);
    t.equal(key && formatNoteKey(key), VKEY);
  }
  t.end();
});

t.test('a note is one spelling only', (t) => {
  const rows: [string, string][] = [
    ['no signature', TEXT],
    ['no final newline', NOTE.slice(0, -1)],
    ['no blank line', NOTE.replace('\n\n', '\n')],
    ['a hyphen for the dash', NOTE.replace('—', '-')],
    ['two spaces', NOTE.replace('— ', '—  ')],
    ['base64 without padding', NOTE.replace('QM=\n', 'QM\n')],
    ['base64 with stray bits', NOTE.replace('QM=\n', 'QN=\n')],
    ['a stray line after the signatures', `${NOTE}x\n`],
    ['a blank line after the signatures', `${NOTE}\n`],
    ['a carriage return', NOTE.replace('.\n', '.\r\n')],
    ['a tab in the text', NOTE.replace(' is', '\tis')],
    ['a NUL in the text', NOTE.replace(' is', '\0is')],
    ['a lone surrogate', NOTE.replace('is', '\ud800')],
    ['a signature of the id alone', `${TEXT}\n— example.com/foo Uw2QOg==\n`],
    ['a name with a plus', NOTE.replace('example.com/foo', 'a+b')],
    ['a name with a no-break space', NOTE.replace('example.com/foo', 'a\u00a0b')],
    ['65 signatures', `${TEXT}\n${`— a ${SIGNATURE}\n`.repeat(65)}`],
    ['more than 128 KiB', `${'x'.repeat(131_072)}\n${NOTE}`],
    ['nothing', ''],
  ];
  for (const [name, text] of rows) t.equal(parseNote(text), undefined, name);
  const large = `— a ${Buffer.alloc(5000).toString('base64')}\n`;
  t.equal(
    parseNote(`${TEXT}\n${large.repeat(16)}`)?.signatures.length,
    16,
    'room for post-quantum signatures',
  );
  t.ok(parseNote(`${TEXT}\nsecond paragraph\n\n— a ${SIGNATURE}\n`), 'the last blank line is the border');
  t.end();
});

t.test('unknown keys are ignored, a bad signature of a known key spoils the note', (t) => {
  const other = noteKey(node, { name: 'example.com/bar', type: 'log', key: loadSigner(newKey()).key });
  const line = `— example.com/foo ${SIGNATURE}\n`;
  const bad = line.replace('Uw2QOkn8', 'Uw2QOkn9');
  t.equal(signersOf(NOTE, [other]), 0, 'nobody that we know');
  t.equal(signersOf(`${TEXT}\n— stranger ${SIGNATURE}\n${line}`, [exampleKey]), 1, 'a stranger beside it');
  t.equal(signersOf(`${TEXT}\n${bad}`, [exampleKey]), undefined, 'a bad signature');
  t.equal(signersOf(`${TEXT}\n${line}${bad}`, [exampleKey]), undefined, 'a bad one beside a good one');
  t.equal(signersOf(`${TEXT}\n${line}${line}`, [exampleKey]), undefined, 'the same one twice');
  t.equal(signersOf(NOTE.replace('example m', 'example n'), [exampleKey]), undefined, 'another text');
  t.end();
});

t.test('a witness signs a time and the text', (t) => {
  const signer = loadSigner(newKey());
  const key = noteKey(node, { name: 'witness.example', type: 'witness', key: signer.key });
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_700_000_000n);
  const signature = concatBytes(time, signer.sign(encodeUtf8(`cosignature/v1\ntime 1700000000\n${TEXT}`)));
  const note = formatNote(TEXT, { name: key.name, id: key.id, signature });
  t.equal(signersOf(note, [key]), 1);
  time.writeBigUInt64BE(1_700_000_001n);
  const later = formatNote(TEXT, {
    name: key.name,
    id: key.id,
    signature: concatBytes(time, signature.slice(8)),
  });
  t.equal(signersOf(later, [key]), undefined, 'not for another time');
  const short = formatNote(TEXT, { name: key.name, id: key.id, signature: signature.slice(0, 71) });
  t.equal(signersOf(short, [key]), undefined, 'not when cut');
  t.not(toBase64(key.id), toBase64(noteKey(node, { ...key, type: 'log' }).id), 'another id than as a log');
  t.end();
});

t.test('a verifier key is one spelling only, and passes the Ed25519 profile', (t) => {
  const small = toBase64(concatBytes(Uint8Array.of(1), Uint8Array.of(1), new Uint8Array(31)));
  const rows: [string, string][] = [
    ['another id', VKEY.replace('530d903a', '530d903b')],
    ['another name', VKEY.replace('foo', 'fop')],
    ['an upper-case id', VKEY.replace('530d903a', '530D903A')],
    ['an unknown type', `example.com/foo+530d903a+${toBase64(Uint8Array.from({ length: 33 }, () => 2))}`],
    ['a key of small order', `example.com/foo+530d903a+${small}`],
    ['a short key', VKEY.slice(0, -4)],
    ['no name', VKEY.replace('example.com/foo', '')],
    ['a space in the name', VKEY.replace('example.com/foo', 'a b')],
  ];
  for (const [name, text] of rows) t.equal(parseNoteKey(node, text), undefined, name);
  t.throws(() => noteKey(node, { name: 'a b', type: 'log', key: loadSigner(newKey()).key }), TypeError);
  t.end();
});

t.test('what is parsed formats to the same text, and nothing makes the parser throw', (t) => {
  const line = fc.record({
    name: fc.stringMatching(/^[a-z0-9./]{1,20}$/),
    bytes: fc.uint8Array({ minLength: 5, maxLength: 80 }),
  });
  const text = fc.stringMatching(/^[ -~é\n]{0,60}$/).map((part) => `${part}\n`);
  fc.assert(
    fc.property(text, line, (text, { name, bytes }) => {
      const note = formatNote(text, { name, id: bytes.slice(0, 4), signature: bytes.slice(4) });
      const parsed = parseNote(note);
      const [first] = parsed?.signatures ?? [];
      return parsed !== undefined && first !== undefined && formatNote(parsed.text, first) === note;
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (junk) => void parseNote(junk)));
  fc.assert(fc.property(fc.string(), (junk) => void parseNoteKey(node, `a+${junk}`)));
  fc.assert(
    fc.property(fc.nat(NOTE.length - 1), fc.string({ minLength: 1, maxLength: 2 }), (at, put) => {
      const changed = NOTE.slice(0, at) + put + NOTE.slice(at + 1);
      return changed === NOTE || signersOf(changed, [exampleKey]) !== 1;
    }),
  );
  t.ok(fromBase64(SIGNATURE));
  t.end();
});
