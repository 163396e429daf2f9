/** Main's end of one policy thread: it sends batches, and kills the thread where one evaluation does not end. */
import { Worker } from 'node:worker_threads';
import { threadEntry } from '../config/thread-entry.ts';
import type { Bundle } from './bundle.ts';
import type { EngineLimits } from './engine.ts';
import { progressCells } from './thread-messages.ts';
import type { BatchOrder, Opening, ThreadAnswer, ThreadStart } from './thread-messages.ts';

/** What a thread is given and held to. Times in milliseconds. */
export interface ThreadSetup {
  readonly bundle: Bundle;
  readonly engine: EngineLimits;
  /** One evaluation may take this long before it is killed, and at most a fifth longer. */
  readonly deadline: number;
  /** Loading the bundle may take this long. */
  readonly loading: number;
}

/** How a thread ended. */
export interface ThreadEnd<J> {
  /** For the operator. */
  readonly fault: string;
  /** Whether it had opened its bundle. */
  readonly opened: boolean;
  /** The job whose evaluation it was in; absent between evaluations. */
  readonly blamed?: J;
  /** Whether that evaluation passed its deadline. */
  readonly late: boolean;
  /** Every other job that it had not answered, in order. Evaluations have no effect: they can be done again. */
  readonly unfinished: readonly J[];
}

/** What the pool hears of a thread. */
export interface ThreadListener<J> {
  opened(thread: PolicyThread<J>): void;
  /** One batch: as many answers as jobs. */
  answered(thread: PolicyThread<J>, jobs: readonly J[], answers: readonly ThreadAnswer[]): void;
  /** Once, unless it was stopped. */
  ended(thread: PolicyThread<J>, end: ThreadEnd<J>): void;
}

interface Batch<J> {
  readonly number: number;
  readonly jobs: readonly J[];
}

/** How often a deadline is looked at, per deadline. */
const LOOKS = 5;

/** JavaScript's side of a thread is small: the policy's memory is WASM's, with its own maximum. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };

/** One worker, from start to end. It keeps the process alive only while it loads or owes an answer. */
export class PolicyThread<J> {
  readonly #setup: ThreadSetup;
  readonly #listener: ThreadListener<J>;
  readonly #progress = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;
  readonly #loading: NodeJS.Timeout;
  #batches: Batch<J>[] = [];
  #lastNumber = 0;
  #opened = false;
  #over = false;
  #watch: NodeJS.Timeout | undefined;
  #seen: readonly [batch: number, position: number] = [0, 0];
  #looks = 0;

  constructor(setup: ThreadSetup, listener: ThreadListener<J>) {
    this.#setup = setup;
    this.#listener = listener;
    const start: ThreadStart = { bundle: setup.bundle, limits: setup.engine, progress: this.#progress };
    // neither secrets of the environment nor code that the process preloads; its hardening flags hold all the same
    this.#worker = new Worker(threadEntry('policy'), {
      workerData: start,
      resourceLimits,
      env: {},
      execArgv: [],
    });
    this.#worker.on('message', (word: Opening | readonly ThreadAnswer[]) => {
      if ('fault' in word) this.#open(word);
      else this.#hear(word);
    });
    this.#worker.on('error', (cause: unknown) => {
      this.#end({ fault: `the policy thread died: ${String(cause)}` });
    });
    this.#worker.on('exit', () => {
      this.#end({ fault: 'the policy thread ended' });
    });
    this.#worker.unref(); // not before its listeners are there: each first one makes it count again
    this.#loading = setTimeout(() => {
      this.#end({ fault: `the bundle did not load within ${setup.loading} ms` });
    }, setup.loading);
  }

  /** Sends one batch. Its jobs come back in `answered` or in `ended`. */
  post(jobs: readonly J[], inputs: readonly string[]): void {
    this.#lastNumber = (this.#lastNumber + 1) | 0;
    const order: BatchOrder = { number: this.#lastNumber, inputs };
    this.#batches.push({ number: order.number, jobs });
    this.#worker.postMessage(order);
    this.#watch ??= setInterval(() => {
      this.#look();
    }, this.#setup.deadline / LOOKS);
  }

  /** Ends the thread without a word to the listener; the jobs it still had. */
  async stop(): Promise<readonly J[]> {
    const unfinished = this.#batches.flatMap(({ jobs }) => jobs);
    this.#release();
    await this.#worker.terminate();
    return unfinished;
  }

  #open({ fault }: Opening): void {
    if (this.#over) return;
    if (fault !== null) {
      this.#end({ fault });
      return;
    }
    clearTimeout(this.#loading);
    this.#opened = true;
    this.#listener.opened(this);
  }

  #hear(answers: readonly ThreadAnswer[]): void {
    if (this.#over) return;
    const batch = this.#batches.shift();
    if (this.#batches.length === 0) this.#unwatch();
    if (batch) this.#listener.answered(this, batch.jobs, answers);
  }

  /** Counts looks instead of reading a clock: time in which main itself stood still is held against nobody. */
  #look(): void {
    const batch = Atomics.load(this.#progress, progressCells.batch);
    const position = Atomics.load(this.#progress, progressCells.position);
    const [seenBatch, seenPosition] = this.#seen;
    this.#looks = batch === seenBatch && position === seenPosition ? this.#looks + 1 : 0;
    this.#seen = [batch, position];
    const { deadline, loading } = this.#setup;
    if (position > 0 && this.#looks >= LOOKS)
      this.#end({ fault: `an evaluation took longer than ${deadline} ms`, late: true });
    else if (position === 0 && this.#looks * (deadline / LOOKS) >= loading)
      this.#end({ fault: `nothing was evaluated for ${loading} ms` });
  }

  #end({ fault, late = false }: { readonly fault: string; readonly late?: boolean }): void {
    if (this.#over) return;
    const blamed = this.#evaluating();
    const unfinished = this.#batches.flatMap(({ jobs }) => jobs).filter((job) => job !== blamed);
    this.#release();
    void this.#worker.terminate();
    const end = { fault, late, opened: this.#opened, unfinished };
    this.#listener.ended(this, blamed === undefined ? end : { ...end, blamed });
  }

  #evaluating(): J | undefined {
    const number = Atomics.load(this.#progress, progressCells.batch);
    const position = Atomics.load(this.#progress, progressCells.position);
    return position === 0
      ? undefined
      : this.#batches.find((batch) => batch.number === number)?.jobs[position - 1];
  }

  #release(): void {
    this.#over = true;
    this.#batches = [];
    clearTimeout(this.#loading);
    this.#unwatch();
  }

  #unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#looks = 0;
    this.#seen = [0, 0];
  }
}
