/** A time-stamping authority made of OpenSSL: its certificates, its answers, and answers that it would never give. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Test } from 'tap';
import { Integer, OctetString } from 'asn1js';
import { AlgorithmIdentifier, Extension, MessageImprint, TSTInfo } from 'pkijs';
import { hash } from 'node:crypto';
import { runTool } from '../third-party/tool.ts';
import { scratchFolder } from './scratch-folder.ts';

const CONFIG = `
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca-short]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign
[ca-names]
basicConstraints = critical,CA:true
nameConstraints = critical,permitted;DNS:example.com
[ca-other-purpose]
basicConstraints = critical,CA:true
extendedKeyUsage = serverAuth
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[plain]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = none
authorityKeyIdentifier = none
[no-purpose]
keyUsage = critical,digitalSignature
[soft-purpose]
extendedKeyUsage = timeStamping
[two-purposes]
extendedKeyUsage = critical,timeStamping,serverAuth
[no-signing]
keyUsage = critical,keyAgreement
extendedKeyUsage = critical,timeStamping
[unknown-critical]
extendedKeyUsage = critical,timeStamping
1.2.3.4.5 = critical,ASN1:NULL
[authority]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha256,sha512
accuracy = secs:1
tsa_name = yes
`;

/** How a certificate is made; what is left out is as a good authority has it. */
export interface CertificatePlan {
  readonly issuer?: string;
  /** Section of the configuration. */
  readonly is?: string;
  readonly days?: number;
  /** As `openssl genpkey` names it: an algorithm, and the size or the curve. */
  readonly key?: 'rsa-1024' | 'rsa-2048' | 'rsa-pss-2048' | `ec-${string}` | 'ed25519' | 'ed448';
  readonly digest?: string;
  /** The issuer's RSA signature is a PSS one. */
  readonly pss?: boolean;
  /** Whose key it has, where that is another's. */
  readonly keyOf?: string;
}

/** What a forged token says; what is left out is true. */
export interface Forgery {
  readonly signer?: string;
  readonly time?: Date;
  readonly nonce?: Uint8Array<ArrayBuffer>;
  readonly version?: number;
  /** With an extension that nobody knows. */
  readonly critical?: boolean;
  /** Further arguments to `openssl cms -sign`. */
  readonly args?: readonly string[];
}

/** How `openssl cms -sign` makes a token. */
export const CMS = ['-cades', '-md', 'sha256', '-econtent_type', '1.2.840.113549.1.9.16.1.4'];

/** An authority in a folder of its own, under the root `root`, that signs as `tsa`. */
export class TestAuthority {
  readonly folder: string;

  constructor(t: Test) {
    this.folder = scratchFolder(t);
    writeFileSync(this.path('config'), CONFIG);
    writeFileSync(this.path('serial'), '01\n');
    this.certify('root', { is: 'ca', days: 30 });
    this.certify('tsa', { issuer: 'root' });
  }

  /** Of a file of its folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** PEM of a certificate. */
  pem(name: string): string {
    return readFileSync(this.path(`${name}.pem`), 'latin1');
  }

  /** Makes a key and its certificate, `CN=name`; without an issuer it signs itself. */
  certify(
    name: string,
    {
      issuer,
      is = 'tsa',
      days = 10,
      key = 'ec-P-256',
      digest = 'sha256',
      pss = false,
      keyOf = name,
    }: CertificatePlan,
  ): void {
    const [, kind = '', size] = /^(rsa-pss|[a-z0-9]+)-?(.*)$/.exec(key) ?? [];
    const option = kind === 'ec' ? 'ec_paramgen_curve' : 'rsa_keygen_bits';
    const how = [kind, ...(size ? ['-pkeyopt', `${option}:${size}`] : [])];
    const [keyFile, out] = [`${keyOf}.key`, `${name}.pem`];
    if (keyOf === name) this.openssl('genpkey', '-algorithm', ...how, '-out', keyFile);
    const padding = pss ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1'] : [];
    const common = ['-days', String(days), `-${digest}`, ...padding, '-out', out];
    const self = ['-config', 'config', '-subj', `/CN=${name}`, '-key', keyFile];
    if (!issuer) return this.openssl('req', '-x509', '-new', ...self, ...common, '-extensions', is);
    this.openssl('req', '-new', ...self, '-out', `${name}.csr`);
    const by = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial'];
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...by,
      ...common,
      '-extfile',
      'config',
      '-extensions',
      is,
    );
  }

  /** A question over these bytes, as `openssl ts` asks it. */
  query(data: Uint8Array | string, ...args: readonly string[]): Uint8Array {
    writeFileSync(this.path('data'), data);
    const hashing = args.some((arg) => arg.startsWith('-sha')) ? [] : ['-sha512'];
    this.openssl('ts', '-query', '-data', 'data', ...hashing, ...args, '-out', 'query');
    return readFileSync(this.path('query'));
  }

  /** What `openssl ts` answers. */
  reply(query: Uint8Array, signer = 'tsa', ...args: readonly string[]): Uint8Array {
    writeFileSync(this.path('query'), query);
    const as = [
      '-config',
      'config',
      '-section',
      'authority',
      '-signer',
      `${signer}.pem`,
      '-inkey',
      `${signer}.key`,
    ];
    this.openssl('ts', '-reply', '-queryfile', 'query', ...as, ...args, '-out', 'reply');
    return readFileSync(this.path('reply'));
  }

  /** An answer that says what it is told to, signed by anybody (`openssl cms`). */
  forge(data: Uint8Array, forgery: Forgery): Uint8Array {
    const { signer = 'tsa', args = CMS } = forgery;
    writeFileSync(this.path('info'), tokenInfo(data, forgery));
    const as = ['-signer', `${signer}.pem`, '-inkey', `${signer}.key`];
    this.openssl(
      'cms',
      '-sign',
      '-binary',
      '-nodetach',
      '-outform',
      'DER',
      '-in',
      'info',
      ...as,
      ...args,
      '-out',
      'token',
    );
    return granted(readFileSync(this.path('token')));
  }

  /** Several certificates in one file. */
  bundle(name: string, pem: string): void {
    writeFileSync(this.path(name), pem);
  }

  /** Whether OpenSSL believes a kept response over these bytes. */
  verifies(response: string, data: string): boolean {
    const given = ['-in', response, '-data', data, '-CAfile', 'root.pem'];
    return runTool('openssl', ['ts', '-verify', ...given], { cwd: this.folder }).ok;
  }

  openssl(...args: readonly string[]): void {
    const { ok, out } = runTool('openssl', args, { cwd: this.folder });
    if (!ok) throw new Error(`openssl ${args.join(' ')}: ${out}`);
  }
}

/** A server's answer; nothing at all for undefined. */
export type HttpAnswer =
  { readonly status?: number; readonly body?: Uint8Array; readonly to?: string } | undefined;

/** Serves answers over HTTP; gone with the test. */
export async function serveAuthority(
  t: Test,
  answer: (query: Uint8Array) => HttpAnswer,
): Promise<{ readonly url: string; readonly asked: readonly string[]; close(): Promise<void> }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((query) => {
      asked.push(request.headers['content-type'] ?? '');
      const given = answer(query);
      if (!given) return;
      const type = { 'content-type': 'application/timestamp-reply' };
      response.writeHead(given.status ?? 200, given.to === undefined ? type : { location: given.to });
      response.end(given.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  t.teardown(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, close }; // a TCP server's address
}

/** What a token is to say (TSTInfo, DER). */
export function tokenInfo(
  data: Uint8Array,
  { time = new Date(), nonce, version = 1, critical }: Forgery,
): Uint8Array {
  const info = new TSTInfo({
    version,
    policy: '1.2.3.4.1',
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: '2.16.840.1.101.3.4.2.3' }),
      hashedMessage: new OctetString({ valueHex: Uint8Array.from(hash('sha512', data, 'buffer')) }),
    }),
    serialNumber: new Integer({ value: 7 }),
    genTime: time,
    ...(critical && {
      extensions: [new Extension({ extnID: '1.2.3', critical, extnValue: Uint8Array.of(5, 0).buffer })],
    }),
    ...(nonce && { nonce: new Integer({ valueHex: nonce }) }),
  });
  return new Uint8Array(info.toSchema().toBER());
}

/** A response that grants a token (DER). */
export function granted(token: Uint8Array): Uint8Array {
  return der(0x30, der(0x30, Uint8Array.of(2, 1, 0)), token);
}

/** One DER value of these parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  const head = content.length < 0x80 ? [tag, content.length] : [tag, 0x80 | length.length, ...length];
  return Buffer.concat([Uint8Array.from(head), content]);
}
