/** Who an upstream must prove to be, and who may vouch for it. */
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContext } from 'node:tls';
import { sha256Hex } from '../../crypto/node.ts';

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

/** Who the sidecar is to an upstream, and whom it believes there. */
export interface TlsIdentity {
  /** Differs where roots or certificate do: connections are shared only under one. */
  readonly id: string;
  /** TLS 1.2 or later. Made at the first use: it takes 20 ms. */
  context(): SecureContext;
}

/** A certificate with its chain, and its key, as PEM. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** What all identities of a sidecar come from. */
export interface TlsFiles {
  /** PEM roots to trust instead of Node's own list; main joins both where extra roots are set. */
  readonly roots?: readonly string[];
  /** By `host:port`, without brackets: only that upstream is shown it. */
  readonly certificates?: ReadonlyMap<string, ClientCertificate>;
}

/** Which identity holds at an upstream. */
export type Identities = (place: { readonly host: string; readonly port: number }) => TlsIdentity;

/** The identities under these files; upstreams without a certificate of ours share one. */
export function tlsIdentities({ roots, certificates = new Map() }: TlsFiles = {}): Identities {
  const anonymous = identity(roots, undefined);
  const named = new Map([...certificates].map(([place, client]) => [place, identity(roots, client)]));
  return ({ host, port }) => named.get(`${host}:${port}`) ?? anonymous;
}

function identity(roots: readonly string[] | undefined, client: ClientCertificate | undefined): TlsIdentity {
  let made: SecureContext | undefined;
  const options = {
    ...(roots && { ca: [...roots] }),
    ...(client && { cert: client.certificate, key: client.key }),
  };
  return {
    id: sha256Hex(Buffer.from(JSON.stringify([roots ?? null, client?.certificate ?? null]))),
    context: () => (made ??= createSecureContext({ minVersion: 'TLSv1.2', ...options })),
  };
}
