import t from 'tap';
import { settingsSchema } from '../../src/config/schema.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { formatNoteKey, noteKey } from '../../src/lineage/note.ts';

const keyOf = (name: string, type: 'witness' | 'log' = 'witness', signer = loadSigner(newKey())): string =>
  formatNoteKey(noteKey(node, { name, type, key: signer.key }));

const vkey = keyOf('a.example/1');
const other = keyOf('b.example');
const at = (key: string): string => `${key} https://w.example/`;
const faultsOf = (witness: object): string => {
  const parsed = settingsSchema.safeParse({ witness });
  return parsed.success ? '' : parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('\n');
}; // prettier-ignore

t.test('a witness is a verifier key and a URL', (t) => {
  const parsed = settingsSchema.parse({ witness: { list: [`${vkey} http://127.0.0.1:15030`, at(other)], quorum: 2 } });
  t.match(parsed.witness.list, [{ vkey, url: 'http://127.0.0.1:15030/' }, { vkey: other, url: 'https://w.example/' }]);
  const rows: [string, string][] = [
    ['no URL', vkey],
    ['no key', 'https://w.example/'],
    ['a word more', `${at(vkey)} x`],
    ['another scheme', `${vkey} ftp://w.example/`],
    ['a password', `${vkey} https://u:p@w.example/`],
    ['a query', `${vkey} https://w.example/?x`],
    ['a log’s key', at(keyOf('a.example', 'log'))],
    ['another name under its id', at(vkey.replace('a.example', 'c.example'))],
    ['another id', at(vkey.replace(/\+.{8}\+/, '+00000000+'))],
    ['a key that is cut off', at(vkey.slice(0, -4))],
  ]; // prettier-ignore
  for (const [name, text] of rows)
    t.match(faultsOf({ list: [text] }), /^witness\.list\.0 must be the verifier key/, name);
  t.end();
}); // prettier-ignore

t.test('a quorum must be reachable, and a halt be later than the next question', (t) => {
  const signer = loadSigner(newKey());
  const rows: [string, object, RegExp][] = [
    ['more than there are', { list: [at(vkey)], quorum: 2 }, /witness\.quorum must be at most 1/],
    ['one key under two names', { list: [at(keyOf('a', 'witness', signer)), at(keyOf('b', 'witness', signer))] }, /list names one key twice/],
    ['one name twice', { list: [at(keyOf('a')), at(keyOf('a'))] }, /list has one name twice/],
    ['a halt before the next question', { halt_after_seconds: 10 }, /halt_after_seconds must be longer than the interval/],
    ['none', { quorum: 0 }, /quorum must be at least 1/],
  ]; // prettier-ignore
  for (const [name, settings, fault] of rows) t.match(faultsOf(settings), fault, name);
  t.equal(faultsOf({ quorum: 7 }), '', 'without a list it says nothing');
  t.end();
});
