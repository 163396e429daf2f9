/** Who an upstream must prove to be. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { PeerCertificate } from 'node:tls';

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
