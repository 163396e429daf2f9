/** TCP to one of several vetted addresses. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Address, Clock } from '../../gate/outside.ts';
import { UpstreamFailure } from './failure.ts';
import type { FailureName } from './failure.ts';

/** How long something may take. */
export interface Within {
  readonly clock: Clock;
  readonly ms: number;
}

/** What an attempt to connect depends on. */
export interface Attempt {
  /** Asked in the last synchronous step before each dialling. */
  permitted(): boolean;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** A connection, and whose it is. */
export interface Reached {
  readonly socket: Socket;
  readonly address: Address;
}

/**
 * Opens the first address that accepts; each has its share of the time that is left, and none is asked after one has
 * accepted. Rejects with an `UpstreamFailure`: that of the last.
 */
export async function firstAccepted(
  addresses: readonly Address[],
  { clock, ms }: Within,
  open: (address: Address, within: Within) => Promise<Socket>,
): Promise<Reached> {
  const deadline = clock.monotonic() + ms;
  let failure = new UpstreamFailure('connect_failed', 'no address');
  for (const [i, address] of addresses.entries()) {
    const share = (deadline - clock.monotonic()) / (addresses.length - i);
    try {
      return { socket: await open(address, { clock, ms: share }), address };
    } catch (cause) {
      failure =
        cause instanceof UpstreamFailure ? cause : new UpstreamFailure('connect_failed', '', { cause });
    }
  }
  throw failure;
}

/** While an agent does not take what came, no more of it is read: a thousand such agents would fill our memory. */
const NO_READ_AHEAD = { readableHighWaterMark: 0 } as const; // of stream.Duplex, which net.Socket hands it to

/** One TCP connection. Rejects with an `UpstreamFailure`. */
export function openTcp(address: Address, { permitted, signal }: Attempt, within: Within): Promise<Socket> {
  if (!permitted()) return Promise.reject(new UpstreamFailure('connect_failed', 'no longer permitted'));
  const { address: host, family, port } = address;
  const socket = connect({ host, family, port, noDelay: true, keepAlive: true, ...NO_READ_AHEAD });
  return ready(socket, { event: 'connect', error: 'connect_failed', signal, ...within });
}

interface Awaited extends Within {
  readonly event: 'connect' | 'secureConnect';
  readonly error: FailureName;
  readonly signal: AbortSignal;
}

/** The socket once it is ready, or destroyed. From here on an error of its own never goes unheard. */
export function ready<S extends Socket>(socket: S, { event, error, clock, ms, signal }: Awaited): Promise<S> {
  return new Promise((resolve, reject) => {
    let [cancel, stay]: readonly (() => void)[] = [];
    const settle = (): void => (cancel?.(), stay?.());
    const fail = (failure: UpstreamFailure): void => {
      settle();
      socket.off(event, succeed).destroy();
      reject(failure);
    };
    const succeed = (): void => {
      settle();
      resolve(socket);
    };
    socket.on('error', (cause) => fail(new UpstreamFailure(error, cause.message, { cause })));
    socket.once(event, succeed);
    stay = whenAbandoned(signal, () => fail(new UpstreamFailure('connect_failed', 'nobody waits')));
    try {
      cancel = clock.after(ms, () => fail(new UpstreamFailure('connect_timeout')));
    } catch (cause) {
      fail(new UpstreamFailure(error, '', { cause })); // else nobody would ever close it
    }
  });
}

/**
 * Calls back, later, once the signal is aborted, unless the answer is called before. TCP that is destroyed beneath its
 * TLS can take the process with it (Node 24): only what is outermost is ever destroyed.
 */
export function whenAbandoned(signal: AbortSignal, then: () => void): () => void {
  if (signal.aborted) queueMicrotask(then);
  else signal.addEventListener('abort', then, { once: true });
  return () => signal.removeEventListener('abort', then);
}
