import * as fc from 'fast-check';
import t from 'tap';
import { toJwk } from '../../src/crypto/key.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { formatNoteKey, noteKey } from '../../src/lineage/note.ts';
import { formatTrust, parseTrust } from '../../src/receipt/trust-file.ts';

const receipt = loadSigner(newKey()).key;
const log = noteKey(node, { name: 'example.com/log', type: 'log', key: loadSigner(newKey()).key });
const tlogPolicy = `log ${formatNoteKey(log)}\nquorum none\n`;

t.test('the trust file that we write is read again', (t) => {
  const trust = parseTrust(node, formatTrust(receipt, log));
  t.match(trust, {
    receiptKeys: [{ id: receipt.id }],
    logs: [{ name: log.name }],
    witnesses: [],
    quorum: { kind: 'none' },
  });
  t.end();
});

t.test('each fault of a trust file is named', (t) => {
  const key = toJwk(receipt);
  const logAsReceipt = toJwk(log.key);
  const rows: [string, string, RegExp][] = [
    ['not JSON', '{', /not a JSON object/],
    ['a list', '[]', /not a JSON object/],
    ['an unknown member', JSON.stringify({ receiptKeys: [key], tlogPolicy, x: 1 }), /unknown member x/],
    ['a member twice', `{"receiptKeys":[],"receiptKeys":[],"tlogPolicy":""}`, /not a JSON object/],
    ['no receipt keys', JSON.stringify({ receiptKeys: [], tlogPolicy }), /receiptKeys is not a list/],
    ['receipt keys missing', JSON.stringify({ tlogPolicy }), /receiptKeys is not a list/],
    ['a private key', JSON.stringify({ receiptKeys: [newKey()], tlogPolicy }), /not a public Ed25519 JWK/],
    ['a key of small order', JSON.stringify({ receiptKeys: [{ ...key, x: `AQ${'A'.repeat(41)}` }], tlogPolicy }), /not a public Ed25519 JWK/],
    ['no policy', JSON.stringify({ receiptKeys: [key] }), /tlogPolicy is not a text/],
    ['a bad policy', JSON.stringify({ receiptKeys: [key], tlogPolicy: 'x' }), /tlogPolicy: line 1: unknown word x/],
    ['one key in two roles', JSON.stringify({ receiptKeys: [logAsReceipt], tlogPolicy }), /two roles/],
    ['one key twice', JSON.stringify({ receiptKeys: [key, key], tlogPolicy }), /two roles/],
  ]; // prettier-ignore
  for (const [name, text, fault] of rows) t.match(parseTrust(node, text), { fault }, name);
  fc.assert(fc.property(fc.json(), (junk) => 'fault' in parseTrust(node, junk)));
  t.end();
});
