/** One connection of an agent that speaks HTTP/2: turns its streams into heads and exchanges for the gate. */
import { constants, performServerHandshake } from 'node:http2';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { streamHead } from '../../call/http2-head.ts';
import type { Clock } from '../../gate/outside.ts';
import type { CallHandler } from './call-handler.ts';
import type { ConnectionContext } from './connection-context.ts';
import type { ConnectionSlot } from './connection-limit.ts';
import type { AgentWait } from './http1-exchange.ts';
import { Http2Exchange } from './http2-exchange.ts';
import { AGENT_SESSION, endFlooded, FrameBudget, hangUp, MAX_STREAMS, widen } from '../http2-limits.ts';
import type { Shed, StreamBudget } from './load-shedding.ts';
import type { Malformed } from './malformed.ts';

/** What such a connection is served with. */
export interface Http2Parts {
  readonly context: ConnectionContext;
  readonly gate: CallHandler;
  readonly clock: Clock;
  /** The first request must be there by then, in milliseconds. */
  readonly headMs: number;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveMs: number;
  /** For an agent to take a reply of ours, in milliseconds; 0 or absent: waits for ever. */
  readonly agentMs?: number;
  /** Shared by all connections of a listener. */
  readonly streams: StreamBudget;
  /** Its place among the connections of its port. */
  readonly slot?: ConnectionSlot;
  /** Hears of streams that were refused. */
  onShed?(what: Shed): void;
  /** Hears of frames that were not HTTP/2, and of floods of them. */
  onMalformed(event: Malformed): void;
}

/** Calls may outlive their streams for a moment, until their outcome is on record. */
const MAX_RUNNING = 2 * MAX_STREAMS;

/** Serves HTTP/2 on a socket from its preface to its end. */
export class Http2Connection {
  readonly #parts: Http2Parts;
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  #running = 0;
  #stopWaiting: () => void;

  constructor(socket: Socket, parts: Http2Parts) {
    this.#parts = parts;
    const budget = new FrameBudget(parts.clock, () => socket.bytesWritten);
    this.#stopWaiting = parts.clock.after(parts.headMs, () => this.stop());
    const session = performServerHandshake(socket, AGENT_SESSION);
    const spend = (): void => {
      if (!budget.spend()) endFlooded(session);
    };
    widen(session);
    session.on('stream', (stream, ...[, flags, fields]) => this.#take(stream, flags, fields));
    session.on('ping', spend).on('remoteSettings', spend);
    session.on('error', (error) => this.#malformed(error));
    session.on('close', () => this.#stopWaiting());
    socket.once('end', () => session.destroy()); // a tunnel's socket stays half open by itself
    session.on('goaway', () => this.stop());
    this.#session = session;
    this.#socket = socket;
  }

  /** Takes no further streams, and closes when those it has are over. */
  stop(): void {
    if (this.#running === 0) hangUp(this.#session, this.#socket, this.#parts.clock);
    else this.#session.close();
  }

  wait(): AgentWait {
    const { clock, agentMs = 0 } = this.#parts;
    return { after: clock.after, agentMs };
  }

  /** Ends whatever runs. */
  destroy(): void {
    this.#session.destroy();
  }

  #take(stream: ServerHttp2Stream, flags: number, fields: readonly string[]): void {
    const { gate, context, streams, slot, onShed } = this.#parts;
    if (this.#running >= MAX_RUNNING || !streams.take(this.#running)) {
      onShed?.('stream');
      stream.on('error', () => undefined).close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    this.#stopWaiting();
    this.#running += 1;
    const over = slot?.begin() ?? ((): void => undefined);
    stream.once('close', over);
    const head = streamHead(fields, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    const exchange = new Http2Exchange(stream, fields, this);
    gate
      .run({ ...context, head, exchange })
      .catch(() => exchange.drop())
      .finally(() => {
        over();
        if (stream.destroyed) this.#leave();
        else stream.once('close', () => this.#leave()); // a reply that nobody takes is still ours to keep
      });
  }

  #leave(): void {
    const { clock, keepAliveMs, streams } = this.#parts;
    this.#running -= 1;
    streams.leave(this.#running);
    if (this.#running > 0) return;
    if (this.#session.closed || this.#session.destroyed) this.stop();
    else
      try {
        this.#stopWaiting = clock.after(keepAliveMs, () => this.stop());
      } catch {
        this.destroy(); // nothing else would ever close it
      }
  }

  #malformed(error: Error): void {
    const why = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
    if (why !== 'ECONNRESET' && why !== 'EPIPE') this.#parts.onMalformed({ status: 400, why });
  }
}
