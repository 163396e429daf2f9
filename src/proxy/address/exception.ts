/** Addresses that an operator names although they are private, local or reserved. */
import ipaddr from 'ipaddr.js';
import type { Call } from '../../call/call.ts';
import { inside, parseAddress } from './address.ts';
import type { Parsed } from './address.ts';

/** One exception, for one port. */
export type Exception =
  /** `upstream.allow`: any call may reach it. */
  | { readonly kind: 'range'; readonly range: readonly [Parsed, number]; readonly port: number }
  /** The host of a reverse route: calls through a route may reach it where its name leads. */
  | { readonly kind: 'route'; readonly host: string; readonly port: number };

const SPELLING = /^(?:\[([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?\]|([0-9.]+)(?:\/(\d{1,2}))?):([1-9]\d{0,4})$/;

/**
 * The exception of `127.0.0.1:8080`, `10.1.0.0/16:443`, `[fd00::1]:80` or `[fd00::/64]:80`; undefined for other text,
 * also where bits beyond the prefix are set.
 */
export function parseException(text: string): Exception | undefined {
  const [, v6, v6Bits, v4, v4Bits, digits] = SPELLING.exec(text) ?? [];
  const address = parseAddress(v6 ?? v4 ?? '');
  const port = Number(digits);
  if (!address || port > 65_535 || (v6 === undefined) !== (address.kind() === 'ipv4')) return undefined;
  const bits = Number(v6Bits ?? v4Bits ?? sizeOf(address));
  if (bits > sizeOf(address) || !isNetwork(address, bits)) return undefined;
  return { kind: 'range', range: [address, bits], port };
}

/** The exception that a reverse route makes for its own upstream. */
export function routeException({ host, port }: { readonly host: string; readonly port: number }): Exception {
  const address = parseAddress(host);
  return address ? { kind: 'range', range: [address, sizeOf(address)], port } : { kind: 'route', host, port };
}

/** Whether the operator named this address and port by number. */
export function namedByAddress(exceptions: readonly Exception[], address: Parsed, port: number): boolean {
  return exceptions.some(
    (given) => given.kind === 'range' && given.port === port && inside(address, given.range),
  );
}

/** Whether the call goes through a reverse route to the host that the route names. */
export function namedByRoute(
  exceptions: readonly Exception[],
  { carrier, host, port }: Pick<Call, 'carrier' | 'host' | 'port'>,
): boolean {
  return (
    carrier === 'reverse' &&
    exceptions.some((given) => given.kind === 'route' && given.host === host && given.port === port)
  );
}

function sizeOf(address: Parsed): number {
  return address.kind() === 'ipv4' ? 32 : 128;
}

/** `10.1.2.3/16` is more likely a slip than a wish. */
function isNetwork(address: Parsed, bits: number): boolean {
  const text = `${address.toString()}/${bits}`;
  const network =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(text)
      : ipaddr.IPv6.networkAddressFromCIDR(text);
  return network.toString() === address.toString();
}
