/** Why TLS with an agent did not come about, and what its operator can do about it. */
import type { Socket } from 'node:net';

/**
 * `untrusted`: the client said that it does not take our certificate. `unused`: it closed after the handshake without a
 * request, as Node does when it does not trust us. `failed`: no common ground, or broken TLS.
 */
export interface HandshakeFault {
  readonly cause: 'untrusted' | 'unused' | 'failed';
  /** For the operator's log. */
  readonly detail: string;
}

/** RFC 8446 §6.2: bad_certificate, certificate_unknown, unknown_ca. */
const UNTRUSTED = /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNKNOWN_CA)/;

/** The fault that an error of OpenSSL stands for; undefined where the agent just went away. */
export function handshakeFault(error: Error): HandshakeFault | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!code.startsWith('ERR_SSL_')) return undefined;
  return { cause: UNTRUSTED.test(code) ? 'untrusted' : 'failed', detail: code };
}

/** RFC 8446 §6: alert record, TLS 1.2 on the wire, two bytes: fatal, and one of these (RFC 6066 §3 for the name). */
const ALERT = [21, 3, 3, 0, 2, 2] as const;
const ACCESS_DENIED = 49;
const UNRECOGNIZED_NAME = 112;

/** Tells a TLS client that its name is not known here, and closes. */
export function refuseName(socket: Socket): void {
  socket.end(Uint8Array.of(...ALERT, UNRECOGNIZED_NAME), () => socket.destroy());
}

/** Tells a TLS client that it may not go there, and closes. */
export function refuseAccess(socket: Socket): void {
  socket.end(Uint8Array.of(...ALERT, ACCESS_DENIED), () => socket.destroy());
}
