/**
 * The sidecar's own certificate authority: whoever trusts it lets this sidecar, and nobody else, open its TLS. It signs
 * leaves that live for hours, for hosts that a grant names, and keeps them for the next connection.
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import {
  authorityCertificate,
  authorityName,
  certificatePem,
  leafCertificate,
  subjectKey,
  subjectOf,
} from './certificate.ts';
import type { Issuer, SubjectKey, Validity } from './certificate.ts';

/** An authority as it lies in the home. */
export interface AuthorityFiles {
  /** PKCS #8, PEM: private. */
  readonly key: string;
  /** The certificate, PEM: for whoever is to trust it. */
  readonly certificate: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Agents' clocks may be behind ours. */
const BACKDATED_MS = DAY_MS;
const AUTHORITY_MS = 3650 * DAY_MS;
const LEAF_MS = 24 * HOUR_MS;
/** A leaf is made anew when it has no longer than this to live. */
const LEAF_REST_MS = HOUR_MS;
/** Hosts at a time. A context holds about 30 KiB outside the heap. */
const MAX_LEAVES = 256;
const SERIAL_BYTES = 16;

/** Makes a new authority. `wall`: milliseconds since 1970. */
export function makeCertificateAuthority(wall: number): AuthorityFiles {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = subjectKey(publicKey);
  const name = authorityName(`Writ sidecar ${Buffer.from(key.id).toString('hex').slice(0, 16)}`);
  const validity = { from: wall - BACKDATED_MS, until: wall + AUTHORITY_MS };
  const order = { serial: freshSerial(), validity, subjectKey: key };
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificatePem(authorityCertificate(order, { name, key, privateKey })),
  };
}

/** Mints leaves, and offers TLS with them. One key serves all leaves of one run of the sidecar. */
export class CertificateAuthority {
  /** The certificate, PEM. */
  readonly pem: string;
  /** RFC 7638 thumbprint of its key. */
  readonly id: string;
  readonly #issuer: Issuer;
  readonly #wall: () => number;
  readonly #leafKey: string;
  readonly #leafSubject: SubjectKey;
  readonly #contexts = new LRUCache<string, { readonly context: SecureContext; readonly until: number }>({
    max: MAX_LEAVES,
  });

  /** Throws where the files are not one P-256 authority. */
  constructor(files: AuthorityFiles, wall: () => number) {
    const certificate = new X509Certificate(files.certificate);
    const privateKey = createPrivateKey(files.key);
    if (!certificate.ca || !certificate.checkPrivateKey(privateKey))
      throw new Error('the certificate is not that of an authority with this key');
    const publicKey = createPublicKey(privateKey);
    this.pem = files.certificate;
    this.id = thumbprint(publicKey);
    this.#issuer = { name: subjectOf(certificate.raw), key: subjectKey(publicKey), privateKey };
    this.#wall = wall;
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#leafKey = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.#leafSubject = subjectKey(leaf.publicKey);
  }

  /** How many hosts have a leaf at hand. */
  get size(): number {
    return this.#contexts.size;
  }

  /**
   * TLS as this host, lower-case name or IP literal, for one connection of an agent: 1.2 or later, never resumed. Only
   * for a host that a valid grant names: who asks for anything else wears out the cache.
   */
  contextFor(host: string): SecureContext {
    const now = this.#wall();
    const known = this.#contexts.get(host);
    if (known && known.until - LEAF_REST_MS > now) return known.context;
    const until = now + LEAF_MS;
    const context = this.#makeContext(this.leaf(host, { from: now - BACKDATED_MS, until }));
    this.#contexts.set(host, { context, until });
    return context;
  }

  /** A fresh leaf for a host, PEM. */
  leaf(host: string, validity: Validity): string {
    const order = { serial: freshSerial(), validity, subjectKey: this.#leafSubject, host };
    return certificatePem(leafCertificate(order, this.#issuer));
  }

  #makeContext(certificate: string): SecureContext {
    return createSecureContext({
      key: this.#leafKey,
      cert: certificate,
      minVersion: 'TLSv1.2',
      // In TLS 1.3 OpenSSL sends two tickets all the same, which resume nothing: Node has no SSL_CTX_set_num_tickets.
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
      sessionIdContext: certificate.slice(-40, -30),
    });
  }
}

/** RFC 7638 §3.2 for a key on P-256. */
function thumbprint(publicKey: KeyObject): string {
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  return hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url');
}

/** Positive, and of constant length: the first bit is 0, the second 1. */
function freshSerial(): Uint8Array {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}
