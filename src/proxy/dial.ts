/** Opens connections to vetted addresses, and to nothing else. */
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Address, Clock } from '../gate/outside.ts';
import { UpstreamFailure } from './failure.ts';
import type { FailureName } from './failure.ts';
import { serverName, verifyIdentity } from './tls-identity.ts';

/** Where to, and whether still to. */
export interface Destination {
  readonly scheme: 'http' | 'https';
  /** Lower-case name or IP literal: what the certificate must be for. */
  readonly host: string;
  /** Dialled in this order, until one accepts. */
  readonly addresses: readonly Address[];
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
  /** PEM roots to trust beside the system's. */
  readonly roots?: readonly string[];
}

/** An open connection. */
export interface Dialled {
  readonly socket: Socket;
  readonly address: Address;
}

/**
 * A connection to the first address that accepts one; each has its share of the time that is left. Only a refused or
 * timed-out TCP connect moves on to the next address. Rejects with an `UpstreamFailure`.
 */
export async function dial(to: Destination, settings: DialSettings): Promise<Dialled> {
  const { clock, connectMs } = settings;
  const deadline = clock.monotonic() + connectMs;
  let failure = new UpstreamFailure('connect_failed', 'no address');
  for (const [i, address] of to.addresses.entries()) {
    const share = (deadline - clock.monotonic()) / (to.addresses.length - i);
    try {
      const socket = await openTcp(to, address, { clock, ms: share });
      return { socket: to.scheme === 'https' ? await openTls(to, socket, settings) : socket, address };
    } catch (cause) {
      failure =
        cause instanceof UpstreamFailure ? cause : new UpstreamFailure('connect_failed', '', { cause });
      if (failure.failure === 'tls_failed' || to.signal.aborted) break;
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

/** TLS 1.2 or later, HTTP/1.1 only, verified; no session is ever reused (threats.md §1). */
function openTls(to: Destination, tcp: Socket, { clock, connectMs, roots }: DialSettings): Promise<Socket> {
  const socket = connectTls({
    socket: tcp,
    ...serverName(to.host),
    checkServerIdentity: (_name, certificate) => verifyIdentity(to.host, certificate),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(roots ? { ca: [...roots] } : {}),
  });
  return ready(socket, {
    event: 'secureConnect',
    error: 'tls_failed',
    timeout: 'tls_failed',
    clock,
    ms: connectMs,
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

/** The socket once it is ready, or destroyed. */
function ready(socket: Socket, { event, error, timeout, clock, ms }: Awaited): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => fail(new UpstreamFailure(timeout)));
    const fail = (failure: UpstreamFailure): void => {
      cancel();
      socket.off(event, succeed).off('error', refuse);
      socket.on('error', () => undefined).destroy();
      reject(failure);
    };
    const refuse = (cause: Error): void => fail(new UpstreamFailure(error, cause.message, { cause }));
    const succeed = (): void => {
      cancel();
      socket.off('error', refuse);
      resolve(socket);
    };
    socket.once(event, succeed).once('error', refuse);
  });
}
