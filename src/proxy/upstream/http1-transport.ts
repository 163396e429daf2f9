/** One HTTP/1.1 connection at a time, for one agent, one origin and one list of vetted addresses. */
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import type { Address } from '../../gate/outside.ts';
import { dial } from './dial.ts';
import type { Dialled } from './dial.ts';
import { holdForTurn } from '../end-of-turn.ts';
import type { Transport, TransportSettings, TransportTarget } from './transport.ts';
import { UpstreamFailure } from './failure.ts';
import type { ResponseHandler, UpstreamRequest } from './request.ts';

/** What such a transport is made with. */
export interface Http1TransportParts {
  readonly key: string;
  readonly target: TransportTarget;
  readonly settings: TransportSettings;
  /** A connection that is open already; only after it does the transport dial. */
  readonly opened?: Dialled | undefined;
  /** Takes the transport back once it carries nothing. */
  rest(transport: Http1Transport): void;
}

/**
 * An undici `Client`, which never has more than one socket and one request here. It may dial anew on its own only
 * before a request was written; what was written is never sent again.
 */
export class Http1Transport implements Transport {
  readonly key: string;
  readonly carriesTrailers = false; // undici sends none
  readonly #parts: Http1TransportParts;
  readonly #client: Client;
  readonly #given = new AbortController();
  #opened: Dialled | undefined;
  #handler: ResponseHandler | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #dialled: Address | undefined;
  #socket: Socket | undefined;

  constructor(parts: Http1TransportParts) {
    const { target, settings } = parts;
    this.key = parts.key;
    this.#parts = parts;
    this.#opened = parts.opened;
    this.#client = new Client(target.origin, {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: settings.idleMs,
      keepAliveMaxTimeout: settings.idleMs,
      maxHeaderSize: settings.maxHeadBytes,
      connect: (_options, done) => this.#connect(done),
    });
  }

  get dialled(): Address | undefined {
    return this.#dialled;
  }

  /** Whether another request may be sent on the connection. */
  get reusable(): boolean {
    return this.#socket?.destroyed === false && this.#handler === undefined;
  }

  /** Calls back when the connection is gone, for whatever reason. */
  onDisconnect(listener: () => void): void {
    this.#client.on('disconnect', listener);
  }

  send(request: UpstreamRequest, handler: ResponseHandler): void {
    this.#handler = handler;
    if (this.#socket && !this.#socket.destroyed) holdForTurn(this.#socket);
    this.#client.dispatch(dispatchOf(request), this.#dispatchHandler(handler));
  }

  release(): void {
    this.#handler = undefined;
    this.#controller = undefined;
    this.#parts.rest(this);
  }

  destroy(): void {
    this.#controller?.abort(new UpstreamFailure('connection_lost', 'ended by us'));
    this.#given.abort();
    const end = (): void => void this.#client.destroy().catch(() => undefined); // it was destroyed already
    queueMicrotask(end); // undici loses count of one that ends while it writes, and throws where nobody hears
    this.#opened?.socket.destroy();
  }

  #dispatchHandler(
    handler: ResponseHandler,
  ): Dispatcher.DispatchHandler & { onBodySent(chunk: Uint8Array): void } {
    return {
      onRequestStart: (controller) => {
        this.#controller = controller;
        if (!handler.begin(controller))
          controller.abort(new UpstreamFailure('connection_lost', 'no longer permitted'));
      },
      onBodySent: (chunk) => handler.sent(chunk),
      onResponseStart: (controller, status) => handler.head(status, textsOf(controller.rawHeaders), false),
      onResponseData: (_controller, chunk) => handler.data(chunk),
      onResponseEnd: (controller) => handler.ended(textsOf(controller.rawTrailers)),
      onResponseError: (_controller, cause) => handler.failed(cause),
    };
  }

  #connect(done: Connected): void {
    this.#dialled = undefined;
    this.#open().then(
      ({ socket, address }) => {
        this.#dialled = address;
        this.#socket = socket;
        done(null, this.#parts.target.tls ? byRecord(socket) : socket);
      },
      (cause: Error) => done(cause, null),
    );
  }

  #open(): Promise<Dialled> {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened && !opened.socket.destroyed) return Promise.resolve(opened);
    const { target, settings } = this.#parts;
    const permitted = (): boolean => this.#handler?.permitted() ?? false;
    return dial({ ...target, protocols: ['http/1.1'], permitted, signal: this.#given.signal }, settings);
  }
}

type Connected = Parameters<Extract<Client.Options['connect'], (...given: never[]) => void>>[1];

/**
 * undici takes all that was read, 64 KiB of it and more, and an agent that stands still has it all written. So it gets a
 * record at a time (RFC 8446 §5.1), as TLS decrypted it: any other piece would be copied into a block that others share.
 */
function byRecord(socket: Socket): Socket {
  const lengths: number[] = [];
  const [push, unshift, read] = [
    socket.push.bind(socket),
    socket.unshift.bind(socket),
    socket.read.bind(socket),
  ];
  return Object.assign(socket, {
    push: (chunk: Buffer | null) => {
      if (chunk && chunk.length > 0) lengths.push(chunk.length);
      return push(chunk);
    },
    unshift: (chunk: Buffer) => {
      if (chunk.length > 0) lengths.unshift(chunk.length);
      unshift(chunk);
    },
    read: (size?: number): unknown => {
      const next = size === undefined ? lengths.shift() : size;
      return read(next && Math.min(next, socket.readableLength));
    },
  });
}

function dispatchOf(request: UpstreamRequest): Dispatcher.DispatchOptions {
  const headers: string[] = [];
  for (const [name, value] of request.headers) headers.push(name, value);
  if (request.length !== undefined) headers.push('content-length', String(request.length));
  return {
    method: request.method,
    path: request.target,
    headers,
    body: request.body ?? null,
    blocking: false,
    idempotent: false,
    headersTimeout: request.headMs,
    bodyTimeout: request.idleMs,
  };
}

/** undici hands raw headers over as buffers. */
function textsOf(raw: unknown): readonly string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part: unknown) => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}
