/**
 * The proxy before the upstreams, where an operator named one. It is asked for vetted addresses (CONNECT, RFC 9110 §9.3.6)
 * and resolves nothing, so that whoever answers its names cannot send a call elsewhere; TLS goes through it end to end.
 */
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Outcome } from '../../denial/outcome.ts';
import type { Address } from '../../gate/outside.ts';
import { addressText } from '../../gate/record.ts';
import { firstAccepted, openTcp, whenAbandoned } from './tcp-dial.ts';
import type { Attempt, Within } from './tcp-dial.ts';
import { UpstreamFailure } from './failure.ts';

/** Where it is, and who we are to it. */
export interface UpstreamProxy {
  /** Its own addresses, vetted, for one connection. */
  addresses(): Promise<Outcome<readonly Address[]>>;
  /** What `Proxy-Authorization` says (RFC 9110 §11.7.2): a secret. */
  credentials(): string | undefined;
}

const MAX_HEAD_BYTES = 16 * 1024;

/** A connection through the proxy to one vetted address. Rejects with an `UpstreamFailure`. */
export async function openThrough(
  proxy: UpstreamProxy,
  { address, ...attempt }: Attempt & { readonly address: Address },
  { clock, ms }: Within,
): Promise<Socket> {
  const deadline = clock.monotonic() + ms;
  const left = (): Within => ({ clock, ms: deadline - clock.monotonic() });
  const own = await proxy.addresses();
  if (!own.ok) throw new UpstreamFailure('proxy_failed', `its address: ${own.detail}`);
  const { socket } = await firstAccepted(own.value, left(), (hop, within) => openTcp(hop, attempt, within));
  try {
    if (!attempt.permitted()) throw new UpstreamFailure('connect_failed', 'no longer permitted');
    return await connectOn(socket, { ...attempt, address, credentials: proxy.credentials() }, left());
  } catch (cause) {
    socket.destroy(); // whatever it was: nobody else knows of it
    throw cause;
  }
}

interface Wanted extends Attempt {
  readonly address: Address;
  readonly credentials: string | undefined;
}

/** Asks on a fresh connection, which is the caller's to close where this rejects. What the upstream says right behind the 2xx is left to be read. */
function connectOn(
  socket: Socket,
  { address, credentials, signal }: Wanted,
  { clock, ms }: Within,
): Promise<Socket> {
  const authority = addressText(address);
  const request = httpRequest({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(credentials && { 'proxy-authorization': credentials }) },
    createConnection: () => socket,
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  return new Promise((resolve, reject) => {
    let [cancel, stay]: readonly (() => void)[] = [];
    const settle = (): void => (cancel?.(), stay?.());
    const fail = (failure: UpstreamFailure): void => {
      settle();
      reject(failure);
    };
    request.on('error', (cause) => fail(new UpstreamFailure('proxy_failed', cause.message, { cause })));
    cancel = clock.after(ms, () => fail(new UpstreamFailure('connect_timeout', 'of the proxy')));
    stay = whenAbandoned(signal, () => fail(new UpstreamFailure('connect_failed', 'nobody waits')));
    request.on('connect', ({ statusCode = 0 }, _socket, early) => {
      if (statusCode < 200 || statusCode > 299)
        return fail(new UpstreamFailure('proxy_failed', `it answered ${statusCode}`));
      settle();
      if (early.length > 0) socket.unshift(early);
      resolve(socket);
    });
    request.end();
  });
}
