/** Threads that scan segments. */
import { Worker } from 'node:worker_threads';
import { threadEntry } from '../config/thread-entry.ts';
import type { Scanner } from './replay-scanned.ts';
import type { ScanJob, SegmentScan } from './scanned.ts';

/** Garbage is short-lived here; a small young generation keeps memory flat at no cost. */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

/** What a thread answers to its one job at a time. */
export interface ScanAnswer {
  readonly scan: SegmentScan | undefined;
}

/** So many threads, each with one segment at a time. Close it. */
export class ScanCrew implements Scanner {
  readonly #threads: number;
  readonly #workers: (Worker | undefined)[] = [];
  readonly #last: Promise<unknown>[] = [];
  readonly #rooms: ArrayBuffer[] = [];
  #next = 0;
  #closed = false;

  /** `threads` ≥ 1; none is started before there is work for it. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** One segment a thread, and one that waits for each. */
  get width(): number {
    return 2 * this.#threads;
  }

  scan(job: ScanJob): Promise<SegmentScan | undefined> {
    const turn = this.#next++ % this.#threads;
    const scanned = Promise.resolve(this.#last[turn]).then(() => this.#ask(turn, job));
    this.#last[turn] = scanned.catch(() => undefined);
    return scanned;
  }

  release({ hashes }: SegmentScan): void {
    this.#rooms.push(hashes.buffer);
  }

  /** Scans that did not end by then reject. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map(async (worker) => worker?.terminate()));
  }

  #ask(turn: number, job: ScanJob): Promise<SegmentScan | undefined> {
    if (this.#closed) return Promise.reject(new Error('the crew was closed')); // a thread made now would never end
    const worker = (this.#workers[turn] ??= new Worker(threadEntry('scan'), { resourceLimits: LIMITS }));
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        worker.removeAllListeners();
        this.#workers[turn] = undefined; // it has ended: the next job gets another one
        reject(cause instanceof Error ? cause : new Error('a thread ended while it scanned'));
      };
      worker.once('error', fail);
      worker.once('exit', fail);
      worker.once('message', ({ scan }: ScanAnswer) => {
        worker.off('error', fail).off('exit', fail);
        resolve(scan);
      });
      const room = this.#rooms.pop();
      if (room) worker.postMessage({ ...job, room } satisfies ScanJob, [room]);
      else worker.postMessage(job);
    });
  }
}
