/** One connection of an agent: its calls are decided one after the other, also when they were pipelined. */
import type { AgentExchange } from './exchange.ts';

/** More requests than this, sent without waiting for an answer, close the connection. */
const MAX_PIPELINED = 64;

/** Starts a call, and calls back when its reply is over. */
export type Start = (done: () => void) => AgentExchange;

/** The calls of one connection. After one that closes it, nothing further on it is handled. */
export class AgentConnection {
  readonly #destroy: () => void;
  readonly #waiting: Start[] = [];
  #running: AgentExchange | undefined;
  #stopping = false;

  constructor(destroy: () => void) {
    this.#destroy = destroy;
  }

  /** Whether bytes written now would fall into a reply. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Handles one request, now or after those before it. */
  take(start: Start): void {
    if (!this.#running) this.#run(start);
    else if (this.#waiting.length < MAX_PIPELINED) this.#waiting.push(start);
    else this.#destroy();
  }

  /** No further call: the running one ends the connection, an idle one ends here. */
  stop(): void {
    this.#stopping = true;
    this.#waiting.length = 0;
    if (this.#running) this.#running.closeAfter();
    else this.#destroy();
  }

  #run(start: Start): void {
    this.#running = start(() => this.#next());
    if (this.#stopping) this.#running.closeAfter();
  }

  #next(): void {
    const ended = this.#running;
    this.#running = undefined;
    if (this.#stopping || ended?.closing) {
      this.#waiting.length = 0;
      if (this.#stopping) this.#destroy();
      return;
    }
    const start = this.#waiting.shift();
    if (start) this.#run(start);
  }
}
