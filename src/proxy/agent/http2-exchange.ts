/** An exchange over one stream of HTTP/2. Whatever becomes of it, the agent's other streams go on. */
import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import type { Header } from '../../call/call.ts';
import { multimap } from '../../call/multimap.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Denial } from '../../gate/denial.ts';
import type { KeepPiece } from '../../gate/outside.ts';
import { DISCARD_BYTES, DISCARD_MS } from './exchange.ts';
import type { AgentExchange, BodyWatch, Following } from './exchange.ts';
import type { AgentWait } from './http1-exchange.ts';
import { grpcHead, isGrpc } from '../grpc.ts';
import { denialReply } from '../reply.ts';
import type { Reply } from '../reply.ts';
import { RequestBody } from './request-body.ts';
import type { BodySource } from './request-body.ts';
import { readWhole } from '../whole-body.ts';

/** The connection that a stream is part of. */
export interface StreamCarrier {
  /** Takes no further streams, and closes when those it has are over. */
  stop(): void;
  /** Closes it now. */
  destroy(): void;
  wait(): AgentWait;
}

/** The agent's end of a call on HTTP/2. */
export class Http2Exchange implements AgentExchange {
  readonly http2 = true;
  readonly closing = false; // a stream never takes its connection with it
  readonly #stream: ServerHttp2Stream;
  readonly #carrier: StreamCarrier;
  readonly #method: string | undefined;
  readonly #grpc: boolean;
  readonly #expects: boolean;
  #received: readonly string[] = [];
  #trailers: readonly Header[] = [];
  #gone = false;
  #begun = false;
  #whole = false;
  #flushed = false;
  #proceeded = false;
  #onGone: (() => void) | undefined;
  #onFlushed: (() => void) | undefined;
  #body: Readable | undefined;

  /** `fields`: the request's head as it came. */
  constructor(stream: ServerHttp2Stream, fields: readonly string[], carrier: StreamCarrier) {
    this.#stream = stream;
    this.#carrier = carrier;
    this.#method = fields[fields.indexOf(':method') + 1];
    this.#grpc = isGrpc(fields);
    this.#expects = fields.some((name, i) => i % 2 === 0 && name === 'expect');
    stream.on('error', () => this.#leave());
    stream.on('aborted', () => this.#leave());
    stream.on('close', () => this.#leave());
    stream.on('trailers', (_headers, _flags, raw) => {
      this.#received = raw;
    });
    stream.on('wantTrailers', () => this.#finish());
  }

  get gone(): boolean {
    return this.#gone;
  }

  get begun(): boolean {
    return this.#begun;
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  onFlushed(listener: () => void): void {
    if (this.#flushed) listener();
    else this.#onFlushed = listener;
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', listener);
  }

  closeAfter(): void {
    // nothing waits behind a stream
  }

  readBody(keep: KeepPiece): Promise<Outcome<undefined>> {
    return readWhole(this.#source(), (piece) => (this.#begun ? undefined : keep(piece))); // then it is discarded
  }

  openBody(watch: BodyWatch): Readable {
    this.#body = new RequestBody(this.#source(), watch);
    return this.#body;
  }

  refuse(denial: Denial): void {
    this.answer(denialReply(denial));
  }

  answer(reply: Reply): void {
    if (this.#gone || this.#begun || this.#stream.destroyed || this.#stream.closed) return;
    this.#body?.destroy();
    const bytes = Buffer.from(reply.body);
    this.#limitTaking();
    if (this.#grpc) this.#respond(reply.status, grpcHead(reply), true);
    else this.#respond(reply.status, [...reply.headers, 'content-length', String(bytes.length)], false);
    if (!this.#whole) this.#stream.end(bytes);
    if (reply.close) this.#carrier.stop();
  }

  begin(status: number, headers: readonly string[], { whole }: Following): void {
    this.#respond(status, headers, whole);
  }

  write(chunk: Uint8Array): boolean {
    return this.#whole || this.#stream.write(chunk); // what follows a reply to HEAD is not passed on
  }

  end(trailers: readonly Header[]): readonly Header[] {
    this.#trailers = this.#whole ? [] : trailers;
    this.#body?.destroy(); // what it has not read is not the upstream's any more
    if (this.#whole) this.#finish();
    else this.#stream.end();
    return this.#trailers;
  }

  /** A stream is not the connection, and RFC 8441 is not offered. */
  takeOver(): undefined {
    return undefined;
  }

  hint(links: readonly string[]): void {
    if (this.#begun || this.#gone) return;
    this.#stream.additionalHeaders({ ':status': 103, link: [...links] });
  }

  cut(code: number): void {
    this.#stream.close(code);
  }

  drop(): void {
    this.#carrier.destroy();
  }

  /** A reply of ours has no lease that would end it, where no window is opened for it. */
  #limitTaking(): void {
    const stream = this.#stream;
    const { after, agentMs } = this.#carrier.wait();
    if (agentMs > 0) stream.once('close', after(agentMs, () => stream.close(constants.NGHTTP2_CANCEL))); // prettier-ignore
  }

  #source(): BodySource {
    const stream = this.#stream;
    return {
      stream,
      standStill: () => stream.pause(), // its window is all that is read ahead
      goOn: () => stream.resume(),
      begin: () => this.#proceed(),
      trailers: () => this.#received,
    };
  }

  #respond(status: number, headers: readonly string[], whole: boolean): void {
    const stream = this.#stream;
    const bodiless = this.#method === 'HEAD' || status === 204 || status === 304;
    const fields = [':status', String(status), ...headers];
    stream.respond(fields, whole || bodiless ? { endStream: true } : { waitForTrailers: true });
    this.#begun = true;
    this.#whole = whole || bodiless;
    if (this.#whole) queueMicrotask(() => this.#finish());
  }

  /** The body is out: trailers, and an end to what the agent may still be sending (RFC 9113 §8.1). */
  #finish(): void {
    if (this.#flushed || this.#gone) return;
    this.#flushed = true;
    const stream = this.#stream;
    if (!this.#whole) stream.sendTrailers(multimap(this.#trailers));
    if (stream.state.remoteClose === 1) stream.resume();
    else this.#discard();
    this.#onFlushed?.();
  }

  /** Lets the agent finish sending: some (curl 7) throw an answer away where a reset comes right behind it. */
  #discard(): void {
    const stream = this.#stream;
    const stop = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    if (this.#expects && !this.#proceeded) return void setImmediate(stop); // it waits for a 100, and sends nothing
    let left = DISCARD_BYTES;
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) stop();
    });
    stream.resume(); // whoever read it before may have paused it
    try {
      stream.once('close', this.#carrier.wait().after(DISCARD_MS, stop));
    } catch {
      stop(); // nothing else would ever end it
    }
  }

  #leave(): void {
    if (this.#gone || this.#flushed) return;
    this.#gone = true;
    this.#onGone?.();
  }

  #proceed(): void {
    if (this.#proceeded) return;
    this.#proceeded = true;
    if (this.#expects && !this.#begun && !this.#gone) this.#stream.additionalHeaders({ ':status': 100 });
  }
}
