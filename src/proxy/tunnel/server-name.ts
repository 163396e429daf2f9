/** Whether the name in a ClientHello is the one that its connection stands for. */
import { isIP } from 'node:net';
import { deny } from '../../denial/outcome.ts';
import type { Refusal } from '../../denial/outcome.ts';
import type { ClientHello } from './client-hello.ts';

/** Whether a host is an IP literal, which has no place in a ClientHello (RFC 6066 §3). */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

/** `tunnel_name_mismatch` unless a name is named exactly, and an address not at all: domain fronting begins here. */
export function nameFault(host: string, { serverName }: ClientHello): Refusal | undefined {
  const expected = isAddress(host) ? undefined : host;
  if (serverName === expected) return undefined;
  return deny('tunnel_name_mismatch', `${host}, but the ClientHello names ${JSON.stringify(serverName)}`);
}
