/**
 * The port that agents reach without knowing (`iptables … REDIRECT`): the name in TLS, or `Host` in the clear, says
 * where a connection was to go. What is neither TLS nor HTTP is refused, and on record like any other denial.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { parseAuthority } from '../../call/host.ts';
import type { Scheme } from '../../call/host.ts';
import { causeText } from '../../config/cause-text.ts';
import { deny, pass } from '../../denial/outcome.ts';
import type { Refusal } from '../../denial/outcome.ts';
import type { TurnedAway } from '../../gate/gate.ts';
import type { Clock } from '../../gate/outside.ts';
import { readClientHello } from './client-hello.ts';
import type { ClientHello, HelloReading } from './client-hello.ts';
import type { ConnectionContext } from '../agent/connection-context.ts';
import type { ConnectionSlot } from '../agent/connection-limit.ts';
import { readOpening } from '../agent/http-opening.ts';
import type { Opening } from '../agent/http-opening.ts';
import type { Interceptor, Opened, Serving } from './intercept.ts';
import type { Listener } from '../agent/listener.ts';
import type { Shed } from '../agent/load-shedding.ts';
import { endText } from './original-destination.ts';
import type { End, OriginalDestinations } from './original-destination.ts';
import { peek } from '../agent/peek.ts';
import type { Untold } from '../agent/peek.ts';
import { isAddress } from './server-name.ts';
import type { PeerPorts } from '../agent/socket-owner.ts';
import { refuseAccess, refuseName } from './tls-fault.ts';

/** What a transparent listener is made of. */
export interface TransparentParts {
  /** Speaks HTTP on what was opened. It has no port of its own. */
  readonly inner: Listener;
  readonly interceptor: Interceptor;
  readonly originals: OriginalDestinations;
  readonly clock: Clock;
  /** The beginning of a connection must be there by then, in milliseconds. */
  readonly beginMs: number;
  /** `host:port` of TLS that stays closed. Asked anew for each connection. */
  passthrough(): ReadonlySet<string>;
  /** Puts a refused connection on record. */
  turnAway(connection: TurnedAway, refusal: Refusal): Promise<void>;
  /** Hears of what was given up. */
  onShed?(what: Shed): void;
  /** Sees each connection before its first call. */
  onOpen?(ports: PeerPorts): void;
}

/** One listening port. */
export class TransparentListener {
  readonly #parts: TransparentParts;
  readonly #server: Server;
  /** Connections whose beginning, or TLS, is not over yet. */
  readonly #opening = new Set<Socket>();
  #port = 0;

  constructor(parts: TransparentParts) {
    this.#parts = parts;
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    this.#server.maxConnections = parts.inner.connectionLimit.most;
    this.#server.on('connection', (socket: Socket) => this.#open(socket));
    this.#server.on('drop', () => parts.onShed?.('connection'));
  }

  /** Starts to listen; rejects with the system's error. Port 0 takes a free one. */
  async listen(port: number, host: string): Promise<{ readonly port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port; // a TCP server that listens has one
    this.#parts.inner.attend();
    return { port: this.#port };
  }

  /** Takes no new calls; resolves when the running ones are over. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#opening) socket.destroy();
    await Promise.all([closed, this.#parts.inner.stop()]);
  }

  /** Ends whatever still runs. */
  destroy(): void {
    for (const socket of this.#opening) socket.destroy();
    this.#parts.inner.destroy();
  }

  #open(socket: Socket): void {
    const { remotePort } = socket;
    if (remotePort !== undefined) this.#parts.onOpen?.({ localPort: undefined, remotePort });
    socket.on('error', () => socket.destroy());
    this.#opening.add(socket);
    socket.once('close', () => this.#opening.delete(socket));
    this.#admit(socket, this.#parts.inner.connectionLimit.enter(socket)).catch(() => socket.destroy());
  }

  async #admit(socket: Socket, slot: ConnectionSlot): Promise<void> {
    const { clock, beginMs, originals, turnAway } = this.#parts;
    const [beginning, original] = await Promise.all([
      peek(socket, { after: clock.after, ms: beginMs, read: readBeginning }),
      originals.of(socket, this.#port),
    ]);
    const opened = await this.#enter({ socket, slot, original }, beginning).catch((cause: unknown) => {
      socket.destroy();
      return deny('internal_error', causeText(cause));
    });
    if (opened.ok) return;
    const name = beginning.is === 'hello' ? hostOf(beginning.hello) : undefined;
    const redirected = { ...(name !== undefined && { name }), original: endText(original) };
    await turnAway({ carrier: 'transparent', redirected }, opened);
  }

  async #enter(arrived: Arrived, beginning: Beginning): Promise<Opened> {
    const { socket } = arrived;
    if (beginning.is === 'hello') return this.#enterTls(arrived, beginning.hello);
    if (beginning.is === 'http' || beginning.is === 'http2') {
      const { http1, http2 } = this.#serving(arrived);
      (beginning.is === 'http' ? http1 : http2)(socket, contextOf('http', arrived));
      return pass('open');
    }
    socket.destroy();
    if (beginning.is === 'closed') return pass('left');
    return deny('connection_not_http', beginning.is === 'malformed' ? beginning.why : beginning.is);
  }

  /** `tls.passthrough` needs a grant for its CONNECT, and there is none here to bring one. */
  async #enterTls(arrived: Arrived, hello: ClientHello): Promise<Opened> {
    const { interceptor, passthrough } = this.#parts;
    const { socket, original } = arrived;
    const host = hostOf(hello);
    if (host === undefined) {
      refuseName(socket);
      return deny('connection_unnamed', JSON.stringify(hello.serverName));
    }
    if (staysClosed(passthrough(), host, original?.port)) {
      refuseAccess(socket);
      return deny('connection_ungranted', host);
    }
    const context = contextOf('https', { ...arrived, host });
    return interceptor.openTls(socket, { host, context }, this.#serving(arrived));
  }

  #serving({ socket: raw, slot }: Arrived): Serving {
    const { inner } = this.#parts;
    return {
      isShed: () => slot.isShed,
      http1: (socket, context) => (this.#opening.delete(raw), inner.serve(socket, context, slot)),
      http2: (socket, context) => (this.#opening.delete(raw), inner.serveHttp2(socket, context, slot)),
    };
  }
}

/** A connection, and what is known of where it was to go. */
interface Arrived {
  readonly socket: Socket;
  readonly slot: ConnectionSlot;
  readonly original: End | undefined;
}

type Beginning = Exclude<HelloReading, { readonly is: 'not-tls' }> | Opening | Untold;

function readBeginning(bytes: Uint8Array): Beginning | undefined {
  const hello = readClientHello(bytes);
  return hello?.is === 'not-tls' ? readOpening(bytes) : hello;
}

/** The host that a ClientHello names: a name, since addresses have no place there (RFC 6066 §3). */
function hostOf({ serverName }: ClientHello): string | undefined {
  const named = serverName === undefined ? undefined : parseAuthority(serverName);
  return named && named.port === undefined && !isAddress(named.host) ? named.host : undefined;
}

/** Where the port is not known, every port of that host is meant. */
function staysClosed(places: ReadonlySet<string>, host: string, port: number | undefined): boolean {
  if (port !== undefined) return places.has(`${host}:${port}`);
  return [...places].some((place) => place.startsWith(`${host}:`));
}

function contextOf(
  scheme: Scheme,
  { host, original }: { readonly host?: string; readonly original: End | undefined },
): ConnectionContext {
  const redirect = { scheme, host, port: original?.port, original: endText(original) };
  return { carrier: 'transparent', redirect };
}
