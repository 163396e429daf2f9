/** A port that agents call: turns sockets into heads and exchanges for the gate, and does nothing else with them. */
import { createServer as createHttpServer, ServerResponse } from 'node:http';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Carrier, Credential, RawHead } from '../../call/call.ts';
import { stopParsing } from '../../config/stop-parsing.ts';
import type { Clock } from '../../gate/outside.ts';
import type { CallHandler } from './call-handler.ts';
import { ConnectExchange } from '../tunnel/connect-exchange.ts';
import type { TunnelParts } from '../tunnel/connect-exchange.ts';
import { BUFFERED_BYTES } from './connection-context.ts';
import type { ConnectionContext } from './connection-context.ts';
import { ConnectionLimit } from './connection-limit.ts';
import type { ConnectionSlot } from './connection-limit.ts';
import type { AgentExchange } from './exchange.ts';
import { FloodPenalty } from './flood-penalty.ts';
import { HalfClosed } from './half-closed.ts';
import { prefaceIn } from './http-opening.ts';
import { Http1Exchange } from './http1-exchange.ts';
import type { AgentWait } from './http1-exchange.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Serving } from '../tunnel/intercept.ts';
import { StreamBudget } from './load-shedding.ts';
import type { Shed } from './load-shedding.ts';
import { answerMalformed, HeadTimeout } from './malformed.ts';
import type { Malformed } from './malformed.ts';
import { peek } from './peek.ts';
import { Pipeline } from './pipeline.ts';
import type { PeerPorts } from './socket-owner.ts';

/** What a listener is made of. */
export interface ListenerParts {
  readonly carrier: Carrier;
  readonly gate: CallHandler;
  readonly clock: Clock;
  /** Beyond this one that carries nothing is closed, else the new one. */
  readonly maxConnections: number;
  /** Of them in TLS that we opened, without a call; one more closes the one that has waited longest. */
  readonly maxIdleTls: number;
  /** A head must be complete by then. */
  readonly headMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** For an agent to take a reply of ours; 0 or absent: waits for ever. */
  readonly agentMs?: number;
  /** For what comes through CONNECT; absent: every CONNECT is refused. */
  readonly tunnels?: TunnelParts;
  /** Calls at once that are not the only one on their HTTP/2 connection. */
  readonly maxStreams: number;
  /** Hears of what was given up. */
  onShed?(what: Shed): void;
  /** Sees each connection before its first call. */
  onOpen?(ports: PeerPorts): void;
  /** Hears of bytes that were not HTTP. */
  onMalformed(event: Malformed & { readonly carrier: Carrier }): void;
}

/** threats.md §2: one head. */
const MAX_HEAD_BYTES = 16 * 1024;
const CHECK_MS = 1000;

/** One listening port. */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #port: Server;
  /** Has no port: it speaks HTTP/1 on what it is handed. */
  readonly #server: HttpServer;
  readonly #connections = new Map<Duplex, Open>();
  readonly #http2 = new Set<Http2Connection>();
  readonly #connectionLimit: ConnectionLimit;
  readonly #streams: StreamBudget;
  readonly #penalty: FloodPenalty;
  /** Tunnels whose TLS is not open yet. */
  readonly #opening = new Set<Socket>();
  readonly #halfClosed: HalfClosed;
  #stopped = false;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#halfClosed = new HalfClosed(parts.clock);
    const { maxConnections: most, maxIdleTls: mostIdleTls } = parts;
    this.#connectionLimit = new ConnectionLimit({ ...parts, most, mostIdleTls });
    this.#streams = new StreamBudget(parts.maxStreams);
    this.#penalty = new FloodPenalty(parts.clock);
    this.#port = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: BUFFERED_BYTES })
      .on('drop', () => parts.onShed?.('connection'))
      .on('connection', (socket: Socket) => this.#open(socket));
    this.#port.maxConnections = this.#connectionLimit.most;
    this.#server = hardenedServer(parts)
      .on('request', (request, response) => this.#take(request, response))
      .on('checkContinue', (request, response) => this.#take(request, response))
      .on('checkExpectation', (request, response) => this.#take(request, response))
      .on('connect', (request, socket, early) => this.#takeConnect(request, socket, early))
      .on('upgrade', (request, socket, early) => this.#takeRaw(request, socket, early))
      .on('clientError', (error: Error, socket) => this.#malformed(error, socket));
  }

  /** Serves what `serve` brings, without a port of its own. */
  attend(): void {
    this.#server.emit('listening'); // node:http looks for slow heads from then on
  }

  /** Where it listens; undefined while it does not. */
  get address(): AddressInfo | undefined {
    const address = this.#port.address();
    return address && typeof address === 'object' ? address : undefined;
  }

  /** Starts to listen; rejects with the system's error (`EADDRINUSE`, `EACCES` …). Port 0 takes a free one. */
  async listen(port: number, host: string): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#port.once('error', reject);
      this.#port.listen(port, host, () => {
        this.#port.off('error', reject);
        resolve();
      });
    });
    this.attend();
    if (!this.address) throw new Error('listening on no address');
    return this.address;
  }

  /** Takes no new calls; resolves when the running ones are over. */
  stop(): Promise<void> {
    this.#stopped = true;
    const closed = new Promise<void>((resolve) => this.#port.close(() => resolve()));
    this.#server.close();
    for (const socket of this.#opening) socket.destroy();
    for (const connection of this.#http2) connection.stop();
    for (const { calls } of [...this.#connections.values()]) calls.stop();
    return closed;
  }

  /** Ends whatever still runs. */
  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
    for (const connection of this.#http2) connection.destroy();
  }

  /** For connections that another port accepted, and that are served here. */
  get connectionLimit(): ConnectionLimit {
    return this.#connectionLimit;
  }

  /** Speaks HTTP/1 on a connection that did not come in on this port by itself: an opened tunnel, a redirected one. */
  serve(socket: Duplex, context: ConnectionContext, slot: ConnectionSlot): void {
    if (this.#stopped) socket.destroy();
    else {
      this.#adopt(socket, context, slot);
      this.#server.emit('connection', socket);
      slot.closeBy(() => socket.destroy()); // TCP that is destroyed beneath its TLS can take the process with it
      if (socket instanceof TLSSocket) slot.openedTls();
    }
  }

  /** Speaks HTTP/2 on a connection whose TLS agreed on it, or that began with its preface. */
  serveHttp2(socket: Socket, context: ConnectionContext, slot: ConnectionSlot): void {
    if (this.#stopped) return void socket.destroy();
    this.#connections.delete(socket); // its calls are the streams from now on
    const onMalformed = (event: Malformed): void => {
      if (context.tunnel) this.#penalty.strike(context.tunnel.credential);
      this.#parts.onMalformed({ ...event, carrier: context.carrier });
    };
    const connection = new Http2Connection(socket, {
      ...{ ...this.#parts, context, onMalformed, slot },
      streams: this.#streams,
    });
    slot.closeBy(() => connection.destroy()); // it says goodbye (RFC 9113 §6.8)
    if (socket instanceof TLSSocket) slot.openedTls();
    this.#http2.add(connection);
    socket.once('close', () => this.#http2.delete(connection));
  }

  #open(socket: Socket): void {
    const { localPort, remotePort } = socket;
    const { carrier, onOpen } = this.#parts;
    if (localPort !== undefined && remotePort !== undefined) onOpen?.({ localPort, remotePort });
    const slot = this.#connectionLimit.enter(socket);
    this.#adopt(socket, { carrier }, slot);
    if (carrier === 'reverse') this.#admit(socket, slot).catch(() => socket.destroy());
    else if (!socket.destroyed) this.#server.emit('connection', socket); // HTTP/2 to a forward proxy is not offered
  }

  /** HTTP/2 with prior knowledge (RFC 9113 §3.3), or HTTP/1. Looking takes none of the time that a head has. */
  async #admit(socket: Socket, slot: ConnectionSlot): Promise<void> {
    const { carrier, clock, headMs } = this.#parts;
    socket.on('error', () => socket.destroy());
    const late = clock.after(headMs, () => this.#malformed(new HeadTimeout(), socket));
    slot.onHeard(late);
    const { is } = await peek(socket, { after: clock.after, ms: headMs, read: prefaceIn });
    if (is === 'other') this.#server.emit('connection', socket);
    if (is === 'closed') socket.destroy();
    if (is === 'silent' && socket.writable) this.#malformed(new HeadTimeout(), socket);
    if (is !== 'http2') return;
    late();
    this.serveHttp2(socket, { carrier }, slot);
  }

  #adopt(socket: Duplex, context: ConnectionContext, slot: ConnectionSlot): void {
    const calls = new Pipeline({
      destroy: () => {
        stopParsing(socket);
        socket.destroy();
      },
      budget: this.#streams,
      onShed: () => this.#parts.onShed?.('stream'),
    });
    this.#connections.set(socket, { context, calls, slot });
    socket.once('close', () => {
      this.#connections.delete(socket);
      calls.gone();
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const open = this.#connections.get(request.socket);
    open?.calls.take((done) => {
      this.#heedEnd(request.socket, response, open.context);
      const exchange = this.#run(request, response, { ...open, done });
      if (request.headers.upgrade !== undefined) exchange.closeAfter(); // node:http loses what came right behind it
      return exchange;
    });
  }

  /** An agent that has no more to say gets its answer, unless it has left. */
  #heedEnd(socket: Socket, response: ServerResponse, { redirect }: ConnectionContext): void {
    const { localPort, remotePort = 0 } = socket;
    const ports = { localPort: redirect ? undefined : localPort, remotePort };
    const ended = (): void => this.#halfClosed.watch(socket, ports);
    if (socket.readableEnded) ended();
    else socket.once('end', ended);
    response.once('close', () => {
      socket.off('end', ended);
      this.#halfClosed.forget(socket);
    });
  }

  /** Bytes that came early wait in the socket for the decision; they are the tunnel's. */
  #takeConnect(request: IncomingMessage, socket: Duplex, early: Buffer): void {
    const { tunnels } = this.#parts;
    const open = this.#connections.get(socket);
    if (!tunnels || request.socket !== socket) return this.#takeRaw(request, socket, early);
    socket.on('error', () => socket.destroy());
    if (early.length > 0) socket.unshift(early);
    open?.calls.take((done) => {
      const response = new ServerResponse(request);
      response.assignSocket(request.socket);
      response.on('finish', () => request.socket.destroySoon());
      const serving = this.#serving(request.socket, response, open.slot);
      const mouth = new ConnectExchange({ request, response, ...this.#wait(), ...tunnels, serving });
      mouth.closeAfter();
      const entering = { ...open, response, exchange: mouth, mouth, done };
      this.#whenForgiven(request, () => this.#enter(request, entering)); // until then it is one that has said nothing
      return mouth;
    });
  }

  /** At once, but for an agent that flooded. */
  #whenForgiven({ headers, socket }: IncomingMessage, then: () => void): void {
    try {
      const wait = this.#penalty.wait(credentialIn(headers));
      if (wait === 0) return then();
      socket.once('close', this.#parts.clock.after(wait, then));
    } catch {
      socket.destroy(); // nothing else would ever answer it
    }
  }

  /** Until its TLS is open, a tunnel has no call that a stop could wait for. */
  #serving(raw: Socket, response: ServerResponse, slot: ConnectionSlot): Serving {
    this.#opening.add(raw);
    raw.once('close', () => this.#opening.delete(raw));
    return {
      isShed: () => slot.isShed,
      http1: (socket, context) => {
        this.#opening.delete(raw);
        if (socket === raw) response.detachSocket(raw); // else the replies inside would wait for it
        this.serve(socket, context, slot);
      },
      http2: (socket, context) => {
        this.#opening.delete(raw);
        this.serveHttp2(socket, context, slot);
      },
    };
  }

  /** CONNECT and Upgrade: node:http has let go of the socket. It carries this one reply and closes, or is taken over. */
  #takeRaw(request: IncomingMessage, socket: Duplex, early: Buffer): void {
    const response = new ServerResponse(request);
    socket.on('error', () => socket.destroy());
    const open = this.#connections.get(socket);
    open?.calls.take((done) => {
      response.assignSocket(request.socket);
      response.on('finish', () => request.socket.destroySoon());
      socket.on('drain', () => response.socket && response.emit('drain')); // node:http tells it no more
      socket.resume(); // early bytes are never looked at
      const exchange = this.#run(request, response, { ...open, done });
      exchange.loosen(early.length > 0);
      exchange.closeAfter();
      return exchange;
    });
  }

  #run(
    request: IncomingMessage,
    response: ServerResponse,
    open: Open & { readonly done: () => void },
  ): Http1Exchange {
    const exchange = new Http1Exchange(request, response, this.#wait());
    this.#enter(request, { ...open, response, exchange });
    return exchange;
  }

  #wait(): AgentWait {
    const { clock, agentMs = 0 } = this.#parts;
    return { after: clock.after, agentMs };
  }

  #enter(request: IncomingMessage, entering: Entering): void {
    const { response, exchange, context, mouth, slot, done } = entering;
    const over = slot.begin();
    response.once('close', done).once('close', over);
    mouth?.onOpen(over);
    this.#parts.gate
      .run({ ...context, head: headOf(request), exchange, ...(mouth && { mouth }) })
      .catch(() => exchange.drop())
      .finally(over);
  }

  #malformed(error: Error, socket: Duplex): void {
    const open = this.#connections.get(socket);
    if (open?.calls.broken) return; // node:http says so again with every further piece
    const event = answerMalformed(error, socket, open?.calls);
    if (event) this.#parts.onMalformed({ ...event, carrier: open?.context.carrier ?? this.#parts.carrier });
  }
}

/** A call that goes to the gate. */
interface Entering extends Open {
  readonly response: ServerResponse;
  readonly exchange: AgentExchange;
  readonly mouth?: ConnectExchange;
  readonly done: () => void;
}

/** A connection that is open, its calls, and its place: inside a tunnel, the tunnel's. */
interface Open {
  readonly context: ConnectionContext;
  readonly calls: Pipeline;
  readonly slot: ConnectionSlot;
}

/** Every setting of node:http that our safety rests on, in one place (threats.md §1–2). */
function hardenedServer({ headMs, keepAliveMs }: ListenerParts): HttpServer {
  const server = createHttpServer({
    insecureHTTPParser: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: headMs,
    requestTimeout: 0, // a body may take as long as its lease
    connectionsCheckingInterval: CHECK_MS,
    keepAliveTimeout: keepAliveMs,
    shouldUpgradeCallback: ({ headers }) => headers.upgrade !== 'h2c', // ignored or refused, but never done
    requireHostHeader: false, // a missing Host is refused by name, with a receipt
  });
  server.maxHeadersCount = 0; // else headers are hidden from us that the parser frames by
  return Object.assign(server, { httpAllowHalfOpen: true }); // else node:http ends a call with its agent's sending side
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): RawHead {
  return { method: method ?? '', target: url ?? '', version: httpVersion, headers: rawHeaders };
}

/** Whom a CONNECT says to come from; the gate alone decides whether that is so. */
function credentialIn(headers: IncomingMessage['headers']): Credential | undefined {
  const { 'writ-grant': grant, 'proxy-authorization': proxy } = headers;
  if (grant !== undefined) return { from: 'writ-grant', text: String(grant) };
  return proxy === undefined ? undefined : { from: 'proxy-authorization', text: proxy };
}
