/** Keeps the snapshot of use counts close behind the log, on a thread of its own, so that the next start reads little. */
import { Worker } from 'node:worker_threads';
import type { Log } from '../config/log.ts';
import { systemClock } from '../config/system.ts';
import { threadEntry } from '../config/thread-entry.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { keepCounts } from './recount.ts';

/** What a thread is started with. */
export interface UseKeeperData {
  readonly home: string;
}

const KEEP_EVERY = 32_768;

/** Whose log is watched. */
export interface UseKeeperParts {
  readonly home: string;
  readonly lineage: Pick<Lineage, 'health'>;
  readonly log: Pick<Log, 'warn'>;
  /** Entries that the present snapshot covers. */
  readonly covered: number;
  /** A snapshot is made once the log has grown by so many entries since the last one. */
  readonly every?: number;
}

/** Makes snapshots while the sidecar runs, and a last one when it stops. A snapshot that fails costs the next start time. */
export class UseKeeper {
  readonly #parts: UseKeeperParts;
  #covered: number;
  #running: Promise<void> | undefined;

  constructor(parts: UseKeeperParts) {
    this.#parts = parts;
    this.#covered = parts.covered;
  }

  /** Starts a snapshot where one is due; resolves when it was made. */
  async look(): Promise<void> {
    const { lineage, every = KEEP_EVERY } = this.#parts;
    const { size } = await lineage.health();
    if (this.#running || size - this.#covered < every) return this.#running;
    this.#covered = size;
    this.#running = this.#keep().finally(() => (this.#running = undefined));
    await this.#running;
  }

  /** Call it when the log is closed. */
  async close(): Promise<void> {
    await this.#running;
    try {
      keepCounts(this.#parts.home, systemClock.wall);
    } catch (cause) {
      this.#warn(cause);
    }
  }

  #keep(): Promise<void> {
    const workerData: UseKeeperData = { home: this.#parts.home };
    return new Promise<void>((resolve, reject) => {
      const worker = new Worker(threadEntry('uses'), { workerData }); // throws where no thread is left
      worker.once('error', reject);
      worker.once('exit', () => resolve());
    }).catch((cause: unknown) => this.#warn(cause));
  }

  #warn(cause: unknown): void {
    this.#parts.log.warn('no snapshot of use counts was made; the next start counts them from the log', {
      cause: String(cause),
    });
  }
}
