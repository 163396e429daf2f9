import t from 'tap';
import { node, loadSigner, newKey } from '../../src/crypto/node.ts';
import { canonicalJson, parseStrictJson } from '../../src/crypto/json.ts';
import { openEnvelope, PAYLOAD_TYPE, preAuthEncoding } from '../../src/receipt/dsse.ts';
import { signReceipt } from '../../src/receipt/sign.ts';

t.test('the pre-authentication encoding is that of the DSSE specification', (t) => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  t.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  const umlaut = preAuthEncoding('ü', Buffer.from('ä'));
  t.equal(Buffer.from(umlaut).toString(), 'DSSEv1 2 ü 2 ä', 'lengths are of bytes');
  t.end();
});

t.test('a receipt is canonical JSON, and opens to what was signed', (t) => {
  const signer = loadSigner(newKey());
  const statement = Buffer.from('{"ü":1}');
  const text = signReceipt(signer, statement);
  const value = parseStrictJson(text);
  t.equal(value === undefined ? '' : canonicalJson(value), text);
  const envelope = openEnvelope(value);
  t.equal(envelope?.keyid, signer.key.id);
  t.strictSame(envelope && Buffer.from(envelope.payload), statement);
  const signature = envelope?.signature ?? new Uint8Array(0);
  t.ok(node.verify(signer.key, preAuthEncoding(PAYLOAD_TYPE, statement), signature));
  t.equal(signReceipt(signer, statement), text, 'Ed25519 is deterministic');
  t.end();
});
