/**
 * Carries one handshake to the upstream with http-proxy, and then its frames. The library sends the request, writes the
 * 101 and pipes; where to, what may be believed and passed on, and every other reply is decided here (threats.md §1).
 */
import { Agent, IncomingMessage } from 'node:http';
import type { ClientRequest } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyServer } from 'http-proxy';
import type { Call } from '../../call/call.ts';
import type { Address, Clock, Ended } from '../../gate/outside.ts';
import { dial } from '../upstream/dial.ts';
import type { DialSettings } from '../upstream/dial.ts';
import type { Transport, TransportTarget } from '../upstream/transport.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { ResponseHandler, UpstreamRequest } from '../upstream/request.ts';
import { WebSocket } from './websocket.ts';
import type { WebSocketLimits, WebSocketWatch } from './websocket.ts';

/** What an upgrade is made of. */
export interface UpgradeParts {
  readonly call: Call;
  readonly target: TransportTarget;
  readonly clock: Clock;
  readonly dialling: DialSettings;
  readonly limits: WebSocketLimits;
}

/** Who hears of one handshake, and of the frames after it. */
export interface UpgradeHandler extends ResponseHandler, WebSocketWatch {
  /** A 101 with these headers (`name, value, …`, attacker-controlled); nothing where the call is over by now. */
  switched(raw: readonly string[]): Switching | undefined;
}

/** A handshake that both ends agreed on. */
export interface Switching {
  /** The agent's head: lower-case name → values. */
  readonly headers: Readonly<Record<string, string[]>>;
  readonly agent: Duplex;
  /** An extension was agreed on. */
  readonly extended: boolean;
}

/** RFC 6455 is HTTP/1.1; RFC 8441 is not spoken. */
const PROTOCOLS = ['http/1.1'] as const;

/** What a WebSocket's end means to the end that is still there. */
const CODES = {
  complete: undefined,
  'client-abort': 'going_away',
  'upstream-error': 'bad_gateway',
  cut: 'policy',
} as const;

/** One connection for one handshake; never shared, never kept. */
export class UpgradeTransport implements Transport {
  readonly carriesTrailers = false;
  readonly #parts: UpgradeParts;
  readonly #given = new AbortController();
  #dialled: Address | undefined;
  #socket: Socket | undefined;
  #request: ClientRequest | undefined;
  #webSocket: WebSocket | undefined;
  #reply: IncomingMessage | undefined;
  #cancelTimer: () => void = () => undefined;
  #open = false;

  constructor(parts: UpgradeParts) {
    this.#parts = parts;
  }

  get dialled(): Address | undefined {
    return this.#dialled;
  }

  /** A relay is a handler of this kind, whatever its transport. */
  send(request: UpstreamRequest, handler: UpgradeHandler): void {
    const { target, dialling } = this.#parts;
    const permitted = (): boolean => handler.permitted();
    dial({ ...target, permitted, protocols: PROTOCOLS, signal: this.#given.signal }, dialling)
      .then(({ socket, address }) => {
        this.#dialled = address;
        this.#socket = socket;
        if (this.#given.signal.aborted) socket.destroy();
        else this.#shake(socket, request, handler);
      })
      .catch((cause: Error) => handler.failed(cause));
  }

  release(): void {
    this.destroy();
  }

  destroy(why: Ended['ended'] = 'complete'): void {
    this.#cancelTimer();
    this.#webSocket?.finish(CODES[why]);
    if (this.#open) return; // the WebSocket closes both sides by itself
    this.#given.abort();
    this.#request?.destroy();
    this.#socket?.destroy();
  }

  /** Everything in here happens in one turn: no reply can come before all its listeners are ours. */
  #shake(socket: Socket, asked: UpstreamRequest, handler: UpgradeHandler): void {
    const { call, clock, limits } = this.#parts;
    const webSocket = new WebSocket({ clock, limits, watch: handler });
    this.#webSocket = webSocket;
    this.#cancelTimer = clock.after(asked.headMs, () => handler.failed(new UpstreamFailure('head_timeout')));
    const library = createProxyServer({ target: 'http://upstream.invalid/', agent: new OneSocket(socket) });
    library.on('error', () => undefined); // it comes to the callback below
    library.on('proxyReqWs', (request) => {
      this.#request = request;
      request.on('error', () => undefined); // the library listens only behind this
      request.path = asked.target; // the library would normalise it
      request.maxHeadersCount = 0; // all of them are judged
      if (!handler.begin({ pause: () => this.#reply?.pause(), resume: () => this.#reply?.resume() }))
        request.destroy();
      request.prependListener('upgrade', (reply, upstream) => this.#switch(reply, upstream, handler));
    });
    const close = (cause: Error): void => handler.failed(cause);
    const options = {};
    library.ws(requestFor(call, asked.target), asSocket(webSocket), Buffer.alloc(0), options, close);
    const request = this.#request;
    if (!request) throw new Error('http-proxy sent no request');
    request.removeAllListeners('response'); // a reply that is no 101 is not the library's to answer
    request.on('response', (reply) => this.#relay(reply, asked, handler));
    request.on('information', ({ statusCode, rawHeaders }) => handler.head(statusCode, rawHeaders, false));
  }

  /** Runs before the library's own listener, which then writes what is left of the head. */
  #switch(reply: IncomingMessage, upstream: Socket, handler: UpgradeHandler): void {
    this.#cancelTimer();
    const switching = handler.switched(reply.rawHeaders);
    if (!switching) return; // the call is over, and both ends are destroyed
    this.#open = true;
    reply.headers = { ...switching.headers };
    this.#webSocket?.open({ ...switching, upstream });
  }

  /** Any other reply is a response like that of any call. */
  #relay(reply: IncomingMessage, asked: UpstreamRequest, handler: UpgradeHandler): void {
    this.#reply = reply;
    const lost = (cause: Error): void => handler.failed(cause);
    reply.on('error', lost).on('aborted', () => lost(new UpstreamFailure('connection_lost')));
    reply.on('data', (chunk: Buffer) => {
      this.#watchSilence(reply, asked, handler);
      handler.data(chunk);
    });
    reply.on('end', () => {
      this.#cancelTimer();
      if (reply.complete) handler.ended([]);
    });
    this.#watchSilence(reply, asked, handler);
    handler.head(reply.statusCode ?? 0, reply.rawHeaders, false);
  }

  /** Instead of whatever was waited for before. */
  #watchSilence(reply: IncomingMessage, asked: UpstreamRequest, handler: UpgradeHandler): void {
    this.#cancelTimer();
    if (asked.idleMs === 0) return;
    const end = (): void => {
      if (reply.isPaused())
        this.#watchSilence(reply, asked, handler); // it is the agent that does not read
      else handler.failed(new UpstreamFailure('body_timeout'));
    };
    try {
      this.#cancelTimer = this.#parts.clock.after(asked.idleMs, end);
    } catch (cause) {
      handler.failed(new UpstreamFailure('connection_lost', 'no timer could be set', { cause })); // nothing else would end it
    }
  }
}

/** Hands out one socket, once: whatever the library asks for, it gets the connection that was vetted. */
class OneSocket extends Agent {
  #socket: Socket | undefined;

  constructor(socket: Socket) {
    super({ keepAlive: false, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Socket {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) throw new Error('http-proxy asked for a second connection');
    return socket;
  }
}

/** The handshake as http-proxy wants to be shown it: the call's own headers, and the two that make it one. */
function requestFor({ headers: list }: Call, path: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  const headers = new Map<string, string | string[]>();
  for (const [name, value] of list) headers.set(name, joined(headers.get(name), value));
  request.method = 'GET';
  request.url = path;
  request.httpVersion = '1.1';
  // it only copies and prints them; these two it also reads
  Object.assign(request.headers, Object.fromEntries(headers), {
    upgrade: 'websocket',
    connection: 'Upgrade',
  });
  return request;
}

function joined(known: string | string[] | undefined, value: string): string | string[] {
  return known === undefined ? value : [known, value].flat();
}

/** http-proxy only pipes, writes, ends and destroys, and calls what WebSocket stubs: it needs no net.Socket. */
function asSocket(webSocket: WebSocket): Socket {
  return webSocket as unknown as Socket;
}
