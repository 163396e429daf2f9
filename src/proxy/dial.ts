/** Opens connections to vetted addresses, and to nothing else. */
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Address, Clock } from '../gate/outside.ts';
import { UpstreamFailure } from './failure.ts';
import type { FailureName } from './failure.ts';
import { serverName, verifyIdentity } from './tls-identity.ts';

/** What a connection can speak, by its ALPN name. */
export type Protocol = 'h2' | 'http/1.1';

/** Where to, and whether still to. */
export interface Destination {
  readonly scheme: 'http' | 'https';
  /** Lower-case name or IP literal: what the certificate must be for. */
  readonly host: string;
  /** Dialled in this order, until one accepts. */
  readonly addresses: readonly Address[];
  /** What is offered by ALPN (RFC 7301), the most wanted first. */
  readonly protocols: readonly Protocol[];
  /** Asked in the last synchronous step before each dialling. */
  permitted(): boolean;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** How it is dialled. */
export interface DialSettings {
  readonly clock: Clock;
  /** For all addresses together, TLS included. */
  readonly connectMs: number;
  /** Whose certificates are trusted. */
  trust(): SecureContext;
}

/** An open connection. */
export interface Dialled {
  readonly socket: Socket;
  readonly address: Address;
  /** What was agreed on; in the clear, what was wanted. */
  readonly protocol: Protocol;
}

/**
 * A connection to the first address that accepts one; each has its share of the time that is left, and none is asked
 * after one has accepted. Rejects with an `UpstreamFailure`.
 */
export async function dial(to: Destination, { clock, connectMs, trust }: DialSettings): Promise<Dialled> {
  const deadline = clock.monotonic() + connectMs;
  const { socket, address } = await firstAccepted(to, clock, deadline);
  const [wanted = 'http/1.1'] = to.protocols;
  if (to.scheme === 'http') return { socket, address, protocol: wanted };
  const within = { clock, ms: deadline - clock.monotonic() };
  const tls = await openTls(to, { socket, context: trust() }, within);
  const protocol = tls.alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
  if (to.protocols.includes(protocol)) return { socket: tls, address, protocol };
  tls.destroy();
  throw new UpstreamFailure('tls_failed', `does not agree on ${to.protocols.join(' or ')}`);
}

interface Reached {
  readonly socket: Socket;
  readonly address: Address;
}

async function firstAccepted(to: Destination, clock: Clock, deadline: number): Promise<Reached> {
  let failure = new UpstreamFailure('connect_failed', 'no address');
  for (const [i, address] of to.addresses.entries()) {
    const ms = (deadline - clock.monotonic()) / (to.addresses.length - i);
    try {
      return { socket: await openTcp(to, address, { clock, ms }), address };
    } catch (cause) {
      failure =
        cause instanceof UpstreamFailure ? cause : new UpstreamFailure('connect_failed', '', { cause });
    }
  }
  throw failure;
}

function openTcp(to: Destination, address: Address, within: Within): Promise<Socket> {
  if (!to.permitted()) return Promise.reject(new UpstreamFailure('connect_failed', 'no longer permitted'));
  const { address: host, family, port } = address;
  const socket = connectTcp({ host, family, port, noDelay: true, keepAlive: true, signal: to.signal });
  return ready(socket, { event: 'connect', error: 'connect_failed', timeout: 'connect_timeout', ...within });
}

/** Verified; no session is ever reused (TLS 1.3 would resume under another name). */
function openTls(
  { host, protocols }: Destination,
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
  });
  return ready(socket, {
    event: 'secureConnect',
    error: 'tls_failed',
    timeout: 'connect_timeout',
    ...within,
  });
}

interface Within {
  readonly clock: Clock;
  readonly ms: number;
}

interface Awaited extends Within {
  readonly event: 'connect' | 'secureConnect';
  readonly error: FailureName;
  readonly timeout: FailureName;
}

/** The socket once it is ready, or destroyed. From here on an error of its own never goes unheard. */
function ready<S extends Socket>(socket: S, { event, error, timeout, clock, ms }: Awaited): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (failure: UpstreamFailure): void => {
      cancel();
      socket.off(event, succeed).destroy();
      reject(failure);
    };
    const succeed = (): void => {
      cancel();
      resolve(socket);
    };
    const cancel = clock.after(ms, () => fail(new UpstreamFailure(timeout)));
    socket.on('error', (cause) => fail(new UpstreamFailure(error, cause.message, { cause })));
    socket.once(event, succeed);
  });
}
