/** Who an upstream must prove to be, and who may vouch for it. */
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContext } from 'node:tls';

/** SNI: names only (RFC 6066 §3). */
export function serverName(host: string): { readonly servername?: string } {
  return isIP(host) ? {} : { servername: host };
}

/**
 * Undefined where the certificate is for this host, else why not. Only subject alternative names count (RFC 9525 §6.3);
 * Node would fall back to the common name, so it is not shown one.
 */
export function verifyIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  return checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } });
}

/** TLS 1.2 or later under these PEM roots, or Node's own where none are given. Made at the first use: it takes 20 ms. */
export function trustOf(roots: readonly string[] | undefined): () => SecureContext {
  let made: SecureContext | undefined;
  return () =>
    (made ??= createSecureContext({ minVersion: 'TLSv1.2', ...(roots ? { ca: [...roots] } : {}) }));
}
