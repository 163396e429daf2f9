/** The HTTP/1 calls of one agent connection: decided one after the other, also when they were pipelined (RFC 9112 §9.3.2). */
import type { Http1Exchange } from './http1-exchange.ts';
import type { StreamBudget } from './load-shedding.ts';

/** More requests than this, sent without waiting for an answer, close the connection. */
const MAX_PIPELINED = 64;

/** Starts a call, and calls back when its reply is over. */
export type Start = (done: () => void) => Http1Exchange;

/** What its connection is to it. */
export interface PipelineParts {
  destroy(): void;
  /** For requests that wait, of all connections together. */
  readonly budget: StreamBudget;
  /** There were too many of them; the connection is closed for it. */
  onShed(): void;
}

/** The calls of one connection. After one that closes it, nothing further on it is handled. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #waiting: Start[] = [];
  #running: Http1Exchange | undefined;
  #last = false;
  #broken = false;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Whether bytes written now would fall into a reply. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether `breakOff` was called. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Handles one request, now or after those before it. */
  take(start: Start): void {
    if (this.#last || this.#broken) return;
    if (!this.#running) this.#run(start);
    else if (this.#waiting.length >= MAX_PIPELINED) this.#parts.destroy();
    else if (this.#parts.budget.take(1)) this.#waiting.push(start);
    else {
      this.#parts.onShed();
      this.#parts.destroy();
    }
  }

  /** The connection is gone: nothing waits any more. */
  gone(): void {
    this.#waiting.splice(0).forEach(() => this.#parts.budget.leave(1));
  }

  /** No further call: the running one ends the connection, an idle connection ends here. */
  stop(): void {
    this.#last = true;
    if (this.#running) this.#running.closeAfter();
    else this.#parts.destroy();
  }

  /** What follows cannot be read. Requests that came whole are answered, and one that did not may be refused. */
  breakOff(): void {
    this.#broken = true;
    this.#running?.breakOff();
    if (this.#waiting.length === 0) this.#running?.closeAfter();
  }

  #run(start: Start): void {
    this.#running = start(() => this.#next());
    if (this.#broken) this.breakOff();
  }

  #next(): void {
    const stopping = this.#last || (this.#broken && this.#waiting.length === 0);
    this.#last ||= this.#running?.closing ?? false;
    this.#running = undefined;
    const start = this.#waiting.shift();
    if (start) this.#parts.budget.leave(1);
    if (start && !this.#last) this.#run(start);
    if (stopping) this.#parts.destroy();
  }
}
