/** One call on one stream of an HTTP/2 session. */
import { constants } from 'node:http2';
import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { Readable } from 'node:stream';
import { multimap } from '../../call/multimap.ts';
import type { Clock } from '../../gate/outside.ts';
import { UpstreamFailure } from './failure.ts';
import type { ResponseHandler, UpstreamRequest } from './request.ts';
import type { UpstreamSession } from './session.ts';

/** Sends a request when it is made, and tells its handler what comes back. */
export class Http2Request {
  readonly #session: UpstreamSession;
  readonly #clock: Clock;
  readonly #request: UpstreamRequest;
  readonly #handler: ResponseHandler;
  #stream: ClientHttp2Stream | undefined;
  #trailers: readonly string[] = [];
  #cause: Error | undefined;
  #paused = false;
  #over = false;
  #answered = false;
  #whole = false;
  #stopTimer: () => void = () => undefined;

  constructor(
    session: UpstreamSession,
    given: { clock: Clock; request: UpstreamRequest; handler: ResponseHandler },
  ) {
    this.#session = session;
    this.#clock = given.clock;
    this.#request = given.request;
    this.#handler = given.handler;
    this.#begin();
  }

  /** The handler has its answer: whatever the request still holds is not sent. */
  release(): void {
    this.#over = true;
    this.#stopTimer();
    if (this.#stream && !this.#stream.writableFinished) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Gives the call up. */
  destroy(): void {
    this.#over = true;
    this.#stopTimer();
    if (this.#stream) this.#session.cancel(this.#stream);
  }

  #begin(): void {
    const flow = { pause: () => this.#pause(), resume: () => this.#resume() };
    if (!this.#handler.begin(flow)) return this.#fail('connection_lost', 'no longer permitted');
    const { body } = this.#request;
    const streams = body !== undefined && !(body instanceof Uint8Array);
    try {
      const stream = this.#session.open(fieldsOf(this.#request), {
        endStream: body === undefined || (body instanceof Uint8Array && body.length === 0),
        waitForTrailers: streams,
      });
      this.#stream = stream;
      this.#listen(stream);
      if (streams) this.#pump(stream, body);
      else this.#sendWhole(stream, body);
    } catch (cause) {
      this.#fail('connection_lost', 'node:http2 refuses the request', { cause });
    }
  }

  #listen(stream: ClientHttp2Stream): void {
    this.#watchEnd(stream);
    stream.on('headers', (headers, _flags, raw) => this.#inform(headers, raw));
    stream.on('response', (headers, flags, raw) => this.#head(headers, flags, raw));
    stream.on('trailers', (_headers, _flags, raw) => {
      this.#trailers = raw;
    });
    stream.on('end', () => this.#end());
    stream.on('error', (cause) => (this.#cause = cause));
    stream.on('close', () => this.#close(stream.rstCode));
  }

  /**
   * Whether the end of the response was sent (END_STREAM). node:http2 tells of an end also where the stream was reset
   * without an error or with CANCEL, or its connection lost; then it is closed before its readable side ends.
   */
  #watchEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#whole = true;
      return push(chunk, encoding);
    };
  }

  #sendWhole(stream: ClientHttp2Stream, body: Uint8Array | undefined): void {
    if (body && body.length > 0) {
      this.#handler.sent(body);
      stream.end(body);
    }
    this.#startHeadTimer();
  }

  #pump(stream: ClientHttp2Stream, body: Readable): void {
    body.on('data', (chunk: Buffer) => {
      this.#handler.sent(chunk);
      this.#stir();
      if (stream.write(chunk)) return;
      body.pause();
      this.#startHeadTimer(); // whoever answers nothing has to take something
    });
    stream.on('drain', () => {
      if (!this.#answered) this.#stopTimer();
      body.resume();
    });
    body.on('end', () => {
      stream.end();
      this.#startHeadTimer(); // no window may come for what is left
    });
    stream.on('wantTrailers', () => {
      stream.sendTrailers(multimap(this.#request.trailers()));
      this.#startHeadTimer();
    });
    body.on('close', () => {
      if (!body.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  #inform(headers: IncomingHttpHeaders & IncomingHttpStatusHeader, raw: readonly string[]): void {
    const status = headers[':status'];
    if (this.#over) return;
    if (status === undefined) this.#fail('response_malformed', 'headers in the middle of a body');
    else this.#handler.head(status, withoutStatus(raw), false);
  }

  #head(
    headers: IncomingHttpHeaders & IncomingHttpStatusHeader,
    flags: number,
    raw: readonly string[],
  ): void {
    if (this.#over) return;
    this.#answered = true;
    this.#stopTimer();
    this.#stir();
    const whole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    this.#handler.head(headers[':status'] ?? 0, withoutStatus(raw), whole);
    this.#stream?.on('data', (chunk: Buffer) => this.#data(chunk)); // not sooner: node:http2 may tell of data before heads
  }

  #data(chunk: Buffer): void {
    if (this.#over) return;
    this.#stir();
    this.#handler.data(chunk);
  }

  #end(): void {
    if (this.#over || !this.#answered || !this.#whole) return; // what is not whole is told by `close`
    this.#over = true;
    this.#stopTimer();
    this.#handler.ended(this.#trailers);
  }

  #close(code: number | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopTimer();
    const why = this.#cause?.message ?? `closed with ${code}`;
    const reset = code ? { reset: code } : {};
    this.#handler.failed(new UpstreamFailure('connection_lost', why, reset));
  }

  #fail(
    failure: UpstreamFailure['failure'],
    detail: string,
    options: ConstructorParameters<typeof UpstreamFailure>[2] = {},
  ): void {
    if (this.#over) return;
    this.destroy();
    this.#handler.failed(new UpstreamFailure(failure, detail, options));
  }

  #pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.#stir();
    this.#stream?.resume();
  }

  #startHeadTimer(): void {
    const { headMs } = this.#request;
    if (this.#over || this.#answered || headMs === 0) return;
    this.#setTimer(headMs, () => this.#silent('head_timeout'));
  }

  /** Something moved, in whatever direction: a call whose two ends talk is not idle. */
  #stir(): void {
    const { idleMs } = this.#request;
    if (this.#over || !this.#answered || idleMs === 0) return;
    this.#setTimer(idleMs, () => this.#fallSilent());
  }

  /** One at a time. A call that nothing would end is given up at once. */
  #setTimer(milliseconds: number, then: () => void): void {
    this.#stopTimer();
    try {
      this.#stopTimer = this.#clock.after(milliseconds, then);
    } catch (cause) {
      this.#fail('connection_lost', 'no timer could be set', { cause });
    }
  }

  #fallSilent(): void {
    if (this.#paused)
      this.#stir(); // it is the agent that does not read
    else this.#silent('body_timeout');
  }

  /** Its connection may be dead, and nobody told us: whoever comes now dials anew. */
  #silent(failure: 'head_timeout' | 'body_timeout'): void {
    this.#session.retire();
    this.#fail(failure, '');
  }
}

function fieldsOf({ method, scheme, target, headers, length, body }: UpstreamRequest): readonly string[] {
  const [host, ...rest] = headers;
  const fields = [':method', method, ':scheme', scheme, ':authority', host?.[1] ?? '', ':path', target];
  for (const [name, value] of rest) fields.push(name, value);
  const bytes = body instanceof Uint8Array ? body.length : length;
  if (bytes !== undefined) fields.push('content-length', String(bytes));
  fields.push('te', 'trailers'); // they are passed on, whatever the agent said
  return fields;
}

function withoutStatus(raw: readonly string[]): readonly string[] {
  return raw[0] === ':status' ? raw.slice(2) : raw;
}
