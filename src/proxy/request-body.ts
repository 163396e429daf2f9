/** The agent's body on its way up: counted before it is passed on, read only as fast as the upstream takes it. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { BodyWatch } from './exchange.ts';

/** What must happen around the bytes, and before the first is read: the agent may wait for `100 Continue`. */
export interface WaitingBodyWatch extends BodyWatch {
  begin(): void;
}

/** A request's body as a paused stream. Destroying it leaves the request itself alone, to be answered. */
export class RequestBody extends Readable {
  readonly #source: IncomingMessage;
  readonly #watch: WaitingBodyWatch;
  #begun = false;

  constructor(source: IncomingMessage, watch: WaitingBodyWatch) {
    super();
    this.#source = source;
    this.#watch = watch;
  }

  override _read(): void {
    if (!this.#begun) this.#begin();
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.off('data', this.#onData);
    this.#source.off('end', this.#onEnd);
    this.#source.pause();
    done(error);
  }

  #begin(): void {
    this.#begun = true;
    this.#watch.begin();
    this.#source.on('data', this.#onData);
    this.#source.on('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#watch.admit(chunk.length)) this.destroy();
    else if (!this.push(chunk)) this.#source.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#source.rawTrailers.length > 0) this.#watch.trailers();
    else this.push(null);
  };
}
