/** One HTTP/2 connection to an upstream, for one agent and one target: its streams carry calls side by side. */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, ClientSessionRequestOptions } from 'node:http2';
import type { Socket } from 'node:net';
import type { Address, Clock } from '../../gate/outside.ts';
import type { Dialled } from './dial.ts';
import { endFlooded, FrameBudget, hangUp, MAX_STREAMS, UPSTREAM_SESSION, widen } from '../http2-limits.ts';

/** What a session is made with. */
export interface UpstreamSessionParts {
  readonly origin: string;
  readonly clock: Clock;
  /** How long it is kept unused, in milliseconds. */
  readonly idleMs: number;
  /** It takes no further streams. */
  onDone(session: UpstreamSession): void;
}

/** A session of node:http2, and the streams it has. */
export class UpstreamSession {
  readonly address: Address;
  readonly #parts: UpstreamSessionParts;
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #running = new Set<ClientHttp2Stream>();
  #done = false;
  #stopWaiting: () => void = () => undefined;

  constructor({ socket, address }: Dialled, parts: UpstreamSessionParts) {
    this.address = address;
    this.#parts = parts;
    const budget = new FrameBudget(parts.clock, () => socket.bytesWritten);
    const spend = (): void => {
      if (!budget.spend()) endFlooded(session);
    };
    const session = connect(parts.origin, { ...UPSTREAM_SESSION, createConnection: () => socket });
    session.on('connect', () => widen(session));
    session.on('ping', spend).on('remoteSettings', spend);
    session.on('goaway', () => this.#finish()).on('close', () => this.#finish());
    session.on('error', () => this.#finish()); // its streams hear of it, each for itself
    this.#session = session;
    this.#socket = socket;
  }

  /** Whether another stream may be opened. */
  get hasRoom(): boolean {
    const most = Math.min(MAX_STREAMS, this.#session.remoteSettings?.maxConcurrentStreams ?? MAX_STREAMS);
    return !this.#done && this.#running.size < most;
  }

  /** Whether it is open and carries nothing. */
  get unused(): boolean {
    return !this.#done && this.#running.size === 0;
  }

  /** Opens a stream for `name, value, …`, pseudo-headers first. Throws where node:http2 refuses them. */
  open(fields: readonly string[], options: ClientSessionRequestOptions): ClientHttp2Stream {
    const stream = this.#session.request(fields, options);
    this.#stopWaiting();
    this.#running.add(stream);
    stream.once('close', () => {
      if (this.#running.delete(stream) && this.#running.size === 0) this.#wait();
    });
    return stream;
  }

  /** Gives up one stream; where it is the only one the connection goes with it. */
  cancel(stream: ClientHttp2Stream): void {
    if (this.#running.size > 1)
      this.#running.delete(stream); // now: of those that end together one is the last
    else if (!stream.closed) return this.destroy();
    stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Takes no further streams, and closes once those it has are over. */
  retire(): void {
    this.#finish();
  }

  /** Closes the connection, and with it whatever runs on it. */
  destroy(): void {
    this.#finish();
    this.#session.destroy();
  }

  #wait(): void {
    if (this.#done) return this.#hangUp();
    const { clock, idleMs } = this.#parts;
    try {
      this.#stopWaiting = clock.after(idleMs, () => this.destroy());
    } catch {
      this.destroy(); // nothing else would ever close it
    }
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#stopWaiting();
    this.#parts.onDone(this);
    if (this.#running.size === 0) this.#hangUp();
  }

  #hangUp(): void {
    hangUp(this.#session, this.#socket, this.#parts.clock);
  }
}
