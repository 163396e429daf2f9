import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import t from 'tap';
import { canonicalJson, isJsonObject, parseStrictJson } from '../../src/crypto/json.ts';
import type { Json } from '../../src/crypto/json.ts';
import { toJwk } from '../../src/crypto/key.ts';
import type { PublicKey } from '../../src/crypto/suite.ts';
import { openEnvelope, preAuthEncoding } from '../../src/receipt/dsse.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { deniedCall } from '../receipt/denied-call.ts';
import { runTool, unlessInstalled } from './tool.ts';

const noOpenssl = unlessInstalled('openssl', 'version');

const member = (value: Json | undefined, name: string): Json | undefined =>
  isJsonObject(value) ? value[name] : undefined;
const keyObject = (key: PublicKey): ReturnType<typeof createPublicKey> =>
  createPublicKey({ key: { ...toJwk(key) }, format: 'jwk' });

t.test('openssl verifies a receipt’s signature', { skip: noOpenssl }, (t) => {
  const folder = scratchFolder(t);
  const { body, log } = deniedCall(join(folder, 'home'));
  const envelope = openEnvelope(member(parseStrictJson(body), 'receipt'));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('key.pem'), keyObject(log.identity.receiptKey).export({ type: 'spki', format: 'pem' }));
  writeFileSync(
    path('pae'),
    preAuthEncoding('application/vnd.in-toto+json', envelope?.payload ?? new Uint8Array(0)),
  );
  writeFileSync(path('sig'), envelope?.signature ?? new Uint8Array(0));
  writeFileSync(path('bad'), Buffer.from(envelope?.signature ?? []).reverse());
  const verify = (signature: string): boolean =>
    runTool('openssl', ['pkeyutl', '-verify', '-pubin', '-inkey', path('key.pem'), '-rawin', '-in', path('pae'), '-sigfile', path(signature)]).ok; // prettier-ignore
  t.ok(verify('sig'));
  t.notOk(verify('bad'), 'and not another signature');
  t.end();
});

t.test('sigstore verifies a receipt’s envelope', (t) => {
  const { body, log } = deniedCall(scratchFolder(t));
  const verify = (text: string): void => {
    const { receipt } = JSON.parse(text) as { receipt: { signatures: { keyid: string }[] } };
    const bundle = bundleFromJSON({
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
      verificationMaterial: { publicKey: { hint: receipt.signatures[0]?.keyid } },
      dsseEnvelope: receipt,
    });
    const publicKey = (
      hint: string,
    ): { publicKey: ReturnType<typeof createPublicKey>; validFor: () => boolean } => {
      if (hint !== log.identity.receiptKey.id) throw new Error('unknown key');
      return { publicKey: keyObject(log.identity.receiptKey), validFor: () => true };
    };
    const trust = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey };
    const none = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
    new Verifier(trust, none).verify(toSignedEntity(bundle));
  };
  t.doesNotThrow(() => verify(body));
  t.throws(() => verify(body.replace('"payload":"eyJf', '"payload":"eyJg')), 'and not another payload');
  t.end();
});

t.test('openssl computes the SHA3-512 digest of a receipt’s subject', { skip: noOpenssl }, (t) => {
  const { body } = deniedCall(scratchFolder(t));
  const payload = openEnvelope(member(parseStrictJson(body), 'receipt'))?.payload;
  const statement = parseStrictJson(Buffer.from(payload ?? []).toString());
  const call = member(member(statement, 'predicate'), 'call') ?? null;
  const { out } = runTool('openssl', ['dgst', '-sha3-512', '-r'], { input: canonicalJson(call) });
  t.match(JSON.stringify(member(statement, 'subject')), `"sha3_512":"${out.slice(0, 128)}"`);
  t.end();
});
