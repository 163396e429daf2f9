/** The agent's end of one call, over one request and response of node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Denial } from '../gate/denial.ts';
import type { Clock, Exchange } from '../gate/outside.ts';
import { denialReply } from './reply.ts';
import type { Reply } from './reply.ts';
import { RequestBody } from './request-body.ts';

/** What an agent may still send after we answered, before its connection closes: bytes, and milliseconds. */
const DISCARD_BYTES = 1024 * 1024;
const DISCARD_MS = 2000;

/** One request to read and one reply to write. At most one of `refuse`, `answer` and `begin` is ever heeded. */
export class AgentExchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #after: Clock['after'];
  #gone = false;
  #begun = false;
  #flowing = false;
  #closing = false;
  #proceeded = false;
  #onGone: (() => void) | undefined;
  #body: Readable | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, after: Clock['after']) {
    this.#request = request;
    this.#response = response;
    this.#after = after;
    request.on('error', () => this.#leave());
    response.on('error', () => this.#leave());
    response.on('close', () => {
      if (!response.writableFinished) this.#leave();
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Whether a reply has begun. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether the agent's connection ends with this exchange. */
  get closing(): boolean {
    return this.#closing || !this.#response.shouldKeepAlive;
  }

  /** Calls back once if the agent goes away before it has the whole reply. One listener. */
  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  /** Calls back once the reply is handed to the system whole. */
  onFlushed(listener: () => void): void {
    this.#response.once('finish', listener);
  }

  /** Calls back whenever the agent can take more. */
  onDrain(listener: () => void): void {
    this.#response.on('drain', listener);
  }

  /** The connection closes after this exchange, and its reply says so if it has not begun. */
  closeAfter(): void {
    this.#closing = true;
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false;
  }

  readBody(limit: number): Promise<Outcome<Uint8Array>> {
    const request = this.#request;
    this.#proceed();
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let length = 0;
      const settle = (outcome: Outcome<Uint8Array>): void => {
        request.off('data', take).off('end', finish).off('close', breakOff).pause();
        resolve(outcome);
      };
      const take = (chunk: Buffer): void => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > limit) settle(deny('scope_content', `the body is longer than ${limit} bytes`));
      };
      const finish = (): void => {
        if (request.rawTrailers.length > 0) settle(deny('trailers_unsupported', 'trailers after the body'));
        else settle(pass(Buffer.concat(chunks)));
      };
      const breakOff = (): void => settle(deny('scope_content', 'the body broke off'));
      if (this.#gone) breakOff();
      else request.on('data', take).on('end', finish).on('close', breakOff);
    });
  }

  /** The body as a stream that reads nothing before it is asked to. */
  openBody(watch: { admit(bytes: number): boolean; trailers(): void }): Readable {
    this.#body = new RequestBody(this.#request, { begin: () => this.#proceed(), ...watch });
    return this.#body;
  }

  refuse(denial: Denial): void {
    this.answer(denialReply(denial));
  }

  /** Writes a whole reply of ours. Unread rest of the request is discarded within limits, then the connection closes. */
  answer({ status, headers, body, close }: Reply): void {
    if (this.#gone || this.#begun) return;
    this.#body?.destroy();
    const unread = this.#bodyUnread();
    if (close || unread) this.closeAfter();
    const bytes = Buffer.from(body);
    this.#begun = this.#flowing = true;
    this.#response.writeHead(status, [...headers, 'content-length', String(bytes.length)]);
    if (!unread) {
      this.#request.resume();
      this.#response.end(bytes);
      return;
    }
    this.#response.write(bytes);
    this.#response.flushHeaders(); // write() sends no head for HEAD
    this.#discard(() => this.#response.end());
  }

  /** Writes the head of an upstream's reply. Throws where it cannot stand in HTTP. */
  begin(status: number, headers: readonly string[]): void {
    this.#response.writeHead(status, [...headers]);
    this.#begun = true;
    queueMicrotask(() => {
      if (!this.#flowing && !this.#gone) this.#response.flushHeaders(); // no body came with it: do not wait for one
    });
  }

  /** Passes on one chunk; false asks to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean {
    this.#flowing = true;
    return this.#response.write(chunk);
  }

  /** Ends an upstream's reply well. */
  end(): void {
    this.#flowing = true;
    this.#body?.destroy(); // what it has not read is not the upstream's any more
    if (this.#bodyUnread()) {
      this.#closing = true;
      this.onFlushed(() => this.#discard(() => this.#request.socket.destroySoon()));
    } else this.#request.resume();
    this.#response.end();
  }

  /** Relays `103 Early Hints` (RFC 8297): links only, as node:http checks them. */
  hint(links: readonly string[]): void {
    if (!this.#begun && !this.#gone) this.#response.writeEarlyHints({ link: [...links] });
  }

  /** Ends a reply in the middle, so that the agent can tell: a chunked body lacks its end, a counted one its rest. */
  cut(): void {
    this.#closing = true;
    const { socket } = this.#request;
    if (this.#request.httpVersion === '1.0')
      socket.resetAndDestroy(); // there the connection's end is the body's end
    else socket.destroy();
  }

  drop(): void {
    this.#closing = true;
    this.#request.socket.destroy();
  }

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
    const stop = (): void => {
      cancel();
      request.off('end', stop).off('close', stop);
      done();
    };
    const cancel = this.#after(DISCARD_MS, stop);
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) request.pause();
    });
    request.on('end', stop).on('close', stop).resume();
  }
}
