/** Opens connections to vetted addresses, and to nothing else. */
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Address, Clock } from '../../gate/outside.ts';
import { firstAccepted, openTcp, ready } from './tcp-dial.ts';
import type { Attempt, Within } from './tcp-dial.ts';
import { serverName, verifyIdentity } from './tls-identity.ts';
import type { TlsIdentity } from './tls-identity.ts';
import { UpstreamFailure } from './failure.ts';
import { openThrough } from './proxy.ts';
import type { UpstreamProxy } from './proxy.ts';

/** What a connection can speak, by its ALPN name. */
export type Protocol = 'h2' | 'http/1.1';

/** Where to, and whether still to. */
export interface Destination extends Attempt {
  /** Undefined: in the clear. */
  readonly tls: TlsIdentity | undefined;
  /** Lower-case name or IP literal: what the certificate must be for. */
  readonly host: string;
  /** Dialled in this order, until one accepts. */
  readonly addresses: readonly Address[];
  /** What is offered by ALPN (RFC 7301), the most wanted first. */
  readonly protocols: readonly Protocol[];
}

/** How it is dialled. */
export interface DialSettings {
  readonly clock: Clock;
  /** For all addresses together, TLS included. */
  readonly connectMs: number;
  /** The proxy on the way to this host, if there is one. */
  proxyFor(host: string): UpstreamProxy | undefined;
}

/** An open connection. */
export interface Dialled {
  readonly socket: Socket;
  readonly address: Address;
  /** What was agreed on; in the clear, what was wanted. */
  readonly protocol: Protocol;
}

/** While an agent does not take what came, no more of it is read than is there at once. */
const LITTLE_AHEAD = { highWaterMark: 16 * 1024 } as const; // of tls.TLSSocket, each way

/** A connection to the first address that accepts one. Rejects with an `UpstreamFailure`. */
export async function dial(to: Destination, { clock, connectMs, proxyFor }: DialSettings): Promise<Dialled> {
  const deadline = clock.monotonic() + connectMs;
  const proxy = proxyFor(to.host);
  const reached = firstAccepted(to.addresses, { clock, ms: connectMs }, (address, within) =>
    open(to, address, { proxy, within }),
  );
  const { socket, address } = await reached;
  const [wanted = 'http/1.1'] = to.protocols;
  if (!to.tls) return { socket, address, protocol: wanted };
  const tls = await startTls(to, { socket, identity: to.tls }, { clock, deadline });
  const protocol = tls.alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
  if (to.protocols.includes(protocol)) return { socket: tls, address, protocol };
  tls.destroy();
  throw new UpstreamFailure('tls_failed', `does not agree on ${to.protocols.join(' or ')}`);
}

function open(to: Destination, address: Address, through: Through): Promise<Socket> {
  const { proxy, within } = through;
  return proxy ? openThrough(proxy, { ...to, address }, within) : openTcp(address, to, within);
}

interface Through {
  readonly proxy: UpstreamProxy | undefined;
  readonly within: Within;
}

/** TLS on this connection. What throws before it begins leaves the connection to nobody, so that it is closed. */
function startTls(
  to: Destination,
  { socket, identity }: { socket: Socket; identity: TlsIdentity },
  { clock, deadline }: { clock: Clock; deadline: number },
): Promise<TLSSocket> {
  try {
    const ms = deadline - clock.monotonic();
    return openTls(to, { socket, context: identity.context() }, { clock, ms });
  } catch (cause) {
    socket.destroy();
    throw cause;
  }
}

/** Verified; no session is ever reused (TLS 1.3 would resume under another name). */
function openTls(
  { host, protocols, signal }: Destination,
  { socket: tcp, context }: { socket: Socket; context: SecureContext },
  within: Within,
): Promise<TLSSocket> {
  const socket = connectTls({
    socket: tcp,
    ...serverName(host),
    checkServerIdentity: (_name, certificate) => verifyIdentity(host, certificate),
    ALPNProtocols: [...protocols],
    secureContext: context,
    rejectUnauthorized: true,
    ...LITTLE_AHEAD,
  });
  return ready(socket, { event: 'secureConnect', error: 'tls_failed', signal, ...within });
}
