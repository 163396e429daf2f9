/** What upstreams are called with and lies in files: further roots, client certificates, credentials for a proxy. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { httpsPlace } from '../call/host.ts';
import type { Settings } from '../config/schema.ts';
import { tlsIdentities } from '../proxy/upstream/tls-identity.ts';
import type { ClientCertificate, Identities } from '../proxy/upstream/tls-identity.ts';

/** What they hold. */
export interface UpstreamFiles {
  readonly identities: Identities;
  /** What `Proxy-Authorization` says: a secret. */
  readonly credentials: string | undefined;
}

/** The files that the settings name, or all that is wrong with them. Never throws; no fault holds a secret. */
export type ReadFiles =
  | { readonly ok: true; readonly files: UpstreamFiles }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Files that a start needs cannot be used. */
export class UpstreamFilesFault extends Error {
  override readonly name = 'UpstreamFilesFault';
}

/** Reads them all, and makes sure that they can be used. */
export function readUpstreamFiles({ upstream }: Settings): ReadFiles {
  const faults: string[] = [];
  const sound = <T>(name: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (cause) {
      faults.push(`upstream.${name}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return undefined;
    }
  };
  const { extra_roots, client_certificates, proxy_credentials_file } = upstream;
  const roots = extra_roots && sound('extra_roots', () => readRoots(extra_roots));
  const certificates = client_certificates.map(
    (given, i) =>
      [httpsPlace(given.host) ?? '', sound(`client_certificates.${i}`, () => readClient(given))] as const,
  );
  const credentials =
    proxy_credentials_file && sound('proxy_credentials_file', () => readCredentials(proxy_credentials_file));
  if (faults.length > 0) return { ok: false, faults };
  const known = new Map(certificates.flatMap(([place, client]) => (client ? [[place, client]] : [])));
  const trusted = roots ? { roots: [...rootCertificates, roots] } : {};
  const identities = tlsIdentities({ ...trusted, certificates: known });
  return { ok: true, files: { identities, credentials: credentials ?? undefined } };
}

/** PEM (RFC 7468): OpenSSL would pass over a block that it cannot read. */
function readRoots(path: string): string {
  const pem = readFileSync(path, 'utf8');
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${path} holds no certificate (PEM)`);
  for (const block of blocks) parseCertificate(block, path);
  return pem;
}

function readClient({ certificate_file, key_file }: Place): ClientCertificate {
  const certificate = readFileSync(certificate_file, 'utf8');
  const key = readFileSync(key_file, 'utf8');
  if (!parseCertificate(certificate, certificate_file).checkPrivateKey(parseKey(key, key_file)))
    throw new Error(`${key_file} is not the key of ${certificate_file}`);
  return { certificate, key };
}

type Place = Settings['upstream']['client_certificates'][number];

function parseCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${path} is not a certificate (PEM)`, { cause });
  }
}

function parseKey(pem: string, path: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error(`${path} is not a private key (PEM) without a passphrase`, { cause });
  }
}

/** RFC 7617 §2: no colon in the name, no control characters. */
function readCredentials(path: string): string {
  const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  if (!/^[^:\p{Cc}]+:[^\p{Cc}]*$/u.test(text)) throw new Error(`${path} is not user:password in one line`);
  return `Basic ${Buffer.from(text).toString('base64')}`;
}
