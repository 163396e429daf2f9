/** The worker that runs the embedded OPA: started when there is work, gone when there has been none for a while. */
import { Worker } from 'node:worker_threads';
import { threadEntry } from '../config/thread-entry.ts';

interface Waiting {
  readonly resolve: (output: Uint8Array) => void;
  readonly reject: (reason: Error) => void;
}

/** One answer of `src/thread/compiler.ts`. */
type Answer =
  { readonly id: number; readonly output: Uint8Array } | { readonly id: number; readonly failure: string };

/** Limits of a worker, in milliseconds. */
export interface WorkerLimits {
  /** Without work for so long, it ends and frees its 350 MB. */
  readonly idle: number;
  /** A run that takes longer is killed. */
  readonly deadline: number;
}

/** Sends documents to the worker and hands back its answers. Rejects only where the compiler itself broke. */
export class CompilerWorker {
  readonly #limits: WorkerLimits;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 0;

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
  }

  run(input: Uint8Array): Promise<Uint8Array> {
    const worker = (this.#worker ??= this.#start());
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, input });
    this.#watch();
    return promise;
  }

  /** Ends the worker; what it was still asked for is rejected. */
  async close(): Promise<void> {
    await this.#end(new Error('the compiler was closed'));
  }

  #start(): Worker {
    const worker = new Worker(threadEntry('compiler'), { stdin: false });
    worker.on('message', (answer: Answer) => {
      this.#settle(answer);
    });
    worker.on('error', (error: Error) => void this.#end(error));
    worker.on('exit', () => {
      if (this.#worker === worker) void this.#end(new Error('the compiler ended'));
    });
    return worker;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('output' in answer) waiting?.resolve(answer.output);
    else waiting?.reject(new Error(answer.failure));
    this.#watch();
  }

  /** One timer: the deadline while something runs, else the idle time, which keeps no process alive. */
  #watch(): void {
    clearTimeout(this.#timer);
    const { idle, deadline } = this.#limits;
    const busy = this.#waiting.size > 0;
    const reason = new Error(busy ? `the compiler took longer than ${deadline} ms` : 'the compiler was idle');
    this.#timer = setTimeout(() => void this.#end(reason), busy ? deadline : idle);
    if (busy) return;
    this.#timer.unref();
    this.#worker?.unref();
  }

  async #end(reason: Error): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    await worker?.terminate();
  }
}
