/** An exchange over one request and response of node:http (HTTP/1.1 and HTTP/1.0). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Header } from '../../call/call.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Denial } from '../../gate/denial.ts';
import type { Clock, KeepPiece } from '../../gate/outside.ts';
import { atEndOfTurn, holdForTurn } from '../end-of-turn.ts';
import { DISCARD_BYTES, DISCARD_MS } from './exchange.ts';
import type { AgentExchange, BodyWatch, Following } from './exchange.ts';
import { denialReply } from '../reply.ts';
import type { Reply } from '../reply.ts';
import { RequestBody } from './request-body.ts';
import type { BodySource } from './request-body.ts';
import { readWhole } from '../whole-body.ts';

/** How long an agent is waited for. */
export interface AgentWait {
  readonly after: Clock['after'];
  /** To take a reply of ours, in milliseconds; 0 waits for ever. */
  readonly agentMs: number;
}

/** The agent's end of a call on HTTP/1. A cut or dropped call takes its connection with it. */
export class Http1Exchange implements AgentExchange {
  readonly http2 = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #wait: AgentWait;
  #gone = false;
  #begun = false;
  #flowing = false;
  #closing = false;
  #proceeded = false;
  #onGone: (() => void) | undefined;
  #loose: 'quiet' | 'spoken' | 'taken' | undefined;
  #ended = false;
  #reading = false;
  #still = false;
  #broken = false;
  #body: Readable | undefined;
  #announced: ReadonlySet<string> | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, wait: AgentWait) {
    this.#request = request;
    this.#response = response;
    this.#wait = wait;
    request.on('error', () => this.#leave());
    response.on('error', () => this.#leave());
    response.on('close', () => {
      if (!response.writableFinished) this.#leave();
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  get begun(): boolean {
    return this.#begun;
  }

  get closing(): boolean {
    return this.#closing || !this.#response.shouldKeepAlive;
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
    if (this.#ended) this.#leave();
  }

  /** node:http has let go of the connection (Upgrade): it can be taken over as long as nothing comes on it. */
  loosen(early: boolean): void {
    this.#loose = early ? 'spoken' : 'quiet';
    this.#request.socket.on('data', this.#onEarly).on('end', this.#onEarlyEnd);
  }

  takeOver(): Duplex | undefined {
    if (this.#loose !== 'quiet') this.drop(); // RFC 6455 §4.1: nothing may come before the handshake is answered
    if (this.#loose !== 'quiet' || this.#gone) return undefined;
    const { socket } = this.#request;
    this.#loose = 'taken';
    this.#begun = true;
    socket.off('data', this.#onEarly).off('end', this.#onEarlyEnd).pause();
    this.#response.detachSocket(socket);
    return socket;
  }

  onFlushed(listener: () => void): void {
    this.#response.once('finish', listener);
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener);
  }

  closeAfter(): void {
    this.#closing = true;
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false;
  }

  /** The rest of the request cannot be read (node:http gave it up): it may be refused still, and nothing else. */
  breakOff(): void {
    if (this.#request.complete) return;
    this.#broken = true;
    if (this.#reading) this.drop();
  }

  readBody(keep: KeepPiece): Promise<Outcome<undefined>> {
    this.#startReading();
    return readWhole(this.#source(), (piece) => (this.#begun ? undefined : keep(piece))); // then it is discarded
  }

  openBody(watch: BodyWatch): Readable {
    this.#startReading();
    this.#body = new RequestBody(this.#source(), watch);
    return this.#body;
  }

  refuse(denial: Denial): void {
    this.answer(denialReply(denial));
  }

  /** Unread rest of the request is discarded within limits, then the connection closes. */
  answer({ status, headers, body, close }: Reply): void {
    if (this.#gone || this.#begun) return;
    this.#stopReading();
    const unread = this.#bodyUnread();
    if (close || unread) this.closeAfter();
    const bytes = Buffer.from(body);
    this.#begun = this.#flowing = true;
    this.#response.writeHead(status, [...headers, 'content-length', String(bytes.length)]);
    if (!unread) {
      this.#request.resume();
      return this.#request.method === 'HEAD' ? this.#endReply(bytes) : this.#writeReply(bytes);
    }
    this.#response.write(bytes);
    this.#response.flushHeaders(); // write() sends no head for HEAD
    this.#discard(() => this.#endReply());
  }

  begin(status: number, headers: readonly string[], { announced }: Following): void {
    if (announced.size > 0 && this.#chunks(status, headers)) {
      this.#announced = announced;
      this.#response.writeHead(status, [...headers, 'trailer', [...announced].join(', ')]);
    } else this.#response.writeHead(status, [...headers]);
    this.#begun = true;
    queueMicrotask(() => {
      if (!this.#flowing && !this.#gone) this.#response.flushHeaders(); // no body came with it: do not wait for one
    });
  }

  write(chunk: Uint8Array): boolean {
    this.#flowing = true;
    return this.#write(chunk);
  }

  end(trailers: readonly Header[]): readonly Header[] {
    this.#flowing = true;
    const promised = trailers.filter(([name]) => this.#announced?.has(name));
    if (promised.length > 0)
      this.#response.addTrailers(promised.map(([name, value]): [string, string] => [name, value]));
    this.#stopReading(); // what was not read is not the upstream's any more
    if (this.#bodyUnread()) {
      this.#closing = true;
      this.onFlushed(() => this.#discard(() => this.#request.socket.destroySoon()));
    } else this.#request.resume();
    atEndOfTurn(() => this.#response.end());
    return promised;
  }

  hint(links: readonly string[]): void {
    if (!this.#begun && !this.#gone) this.#response.writeEarlyHints({ link: [...links] });
  }

  /** A chunked body lacks its end, a counted one its rest. */
  cut(): void {
    this.#closing = true;
    if (this.#loose === 'taken') return;
    const { socket } = this.#request;
    if (this.#request.httpVersion === '1.0' && !(socket instanceof TLSSocket))
      socket.resetAndDestroy(); // there the connection's end is the body's end; in TLS its alert is missing
    else socket.destroy();
  }

  drop(): void {
    this.#closing = true;
    this.#request.socket.destroy();
  }

  /** Whether the body will be chunked, which is what trailers need (RFC 9112 §7.1.2). */
  #chunks(status: number, headers: readonly string[]): boolean {
    const { httpVersion, method } = this.#request;
    const bodiless = method === 'HEAD' || status === 204 || status === 304;
    return httpVersion === '1.1' && !bodiless && !headers.includes('content-length');
  }

  #source(): BodySource {
    const request = this.#request;
    return {
      stream: request,
      standStill: () => this.#standStill(),
      goOn: () => this.#goOn(),
      begin: () => this.#proceed(),
      trailers: () => request.rawTrailers,
    };
  }

  /** Leaves at the end of this turn, or sooner where the connection is closed behind it. */
  #write(bytes: Uint8Array): boolean {
    const { socket } = this.#request;
    if (socket.writableCorked === 0) holdForTurn(socket);
    return this.#response.write(bytes);
  }

  #writeReply(bytes: Buffer): void {
    this.#write(bytes);
    atEndOfTurn(() => this.#endReply());
  }

  /** A reply of ours has no lease that would end it. */
  #endReply(bytes?: Buffer): void {
    const response = this.#response;
    const { after, agentMs } = this.#wait;
    response.end(bytes);
    if (agentMs === 0 || response.writableLength === 0) return;
    try {
      response.once('close', after(agentMs, () => this.drop())); // prettier-ignore
    } catch {
      this.drop(); // nothing else would ever end it
    }
  }

  /** Of a paused request node:http reads one piece more. In the ticks behind `data` it resumes the socket: we come after them. */
  #standStill(): void {
    this.#still = true;
    this.#request.pause();
    queueMicrotask(() => this.#still && this.#request.socket.pause());
  }

  #goOn(): void {
    if (!this.#still) return;
    this.#still = false;
    this.#request.socket.resume();
    this.#request.resume();
  }

  #startReading(): void {
    this.#reading = true;
    if (!this.#broken) return;
    this.drop();
    this.#leave(); // now: not a byte of it goes up
  }

  #stopReading(): void {
    this.#reading = false;
    this.#goOn();
    this.#body?.destroy();
  }

  /** Early bytes are never looked at. */
  readonly #onEarly = (): void => {
    this.#loose = 'spoken';
  };

  /** An end before the answer is the agent's leave; one after it is for whoever took over. */
  readonly #onEarlyEnd = (): void => {
    this.#ended = true;
    if (this.#onGone) this.#leave();
  };

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#closing = true;
    this.#onGone?.();
  }

  #proceed(): void {
    if (this.#proceeded) return;
    this.#proceeded = true;
    if (this.#expects() && !this.#begun) this.#response.writeContinue();
  }

  #expects(): boolean {
    return this.#request.httpVersion !== '1.0' && this.#request.headers.expect !== undefined;
  }

  /** Whether the agent still has to send, or we to read, a part of the body. */
  #bodyUnread(): boolean {
    const { complete, headers } = this.#request;
    if (complete) return false;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  /** Lets the agent finish sending, so that its kernel does not throw our reply away with a reset. */
  #discard(done: () => void): void {
    const request = this.#request;
    let left = DISCARD_BYTES;
    let cancel = (): void => undefined;
    const stop = (): void => {
      cancel();
      request.off('end', stop).off('close', stop);
      done();
    };
    try {
      cancel = this.#wait.after(DISCARD_MS, stop);
    } catch {
      return stop(); // nothing else would ever end it
    }
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) request.pause();
    });
    request.on('end', stop).on('close', stop).resume();
  }
}
