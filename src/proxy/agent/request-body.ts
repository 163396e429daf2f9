/** The agent's body on its way up: counted before it is passed on, read only as fast as the upstream takes it. */
import { Readable } from 'node:stream';
import type { BodyWatch } from './exchange.ts';

/** A body as it comes in. */
export interface BodySource {
  readonly stream: Readable;
  /** Nothing more is read, not ahead either, until it goes on. Only where `data` is heard, and in its turn. */
  standStill(): void;
  goOn(): void;
  /** Before the first byte is read: the agent may wait for `100 Continue`. */
  begin(): void;
  /** What followed the body, once it has ended. */
  trailers(): readonly string[];
}

/** A request's body as a paused stream. Destroying it leaves the request itself alone, to be answered. */
export class RequestBody extends Readable {
  readonly #source: BodySource;
  readonly #watch: BodyWatch;
  #begun = false;

  constructor(source: BodySource, watch: BodyWatch) {
    super();
    this.#source = source;
    this.#watch = watch;
  }

  override _read(): void {
    if (!this.#begun) this.#begin();
    this.#watch.await();
    this.#source.stream.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.stream.off('data', this.#onData);
    this.#source.stream.off('end', this.#onEnd);
    this.#source.stream.pause();
    done(error);
  }

  #begin(): void {
    this.#begun = true;
    this.#source.begin();
    this.#source.stream.on('data', this.#onData);
    this.#source.stream.on('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#watch.admit(chunk.length)) this.destroy();
    else if (!this.push(chunk)) this.#source.stream.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#watch.trailers(this.#source.trailers())) this.push(null);
  };
}
