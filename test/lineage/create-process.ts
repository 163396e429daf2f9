/** `create-process.ts`: a thread that makes logs where it is told to, at the same moment as others. */
import { parentPort } from 'node:worker_threads';
import { createLog } from '../../src/lineage/create.ts';
import { LogFault } from '../../src/lineage/fault.ts';

/** A log to make, once `gate` has counted so many threads, and so many microseconds later. */
export interface CreateOrder {
  readonly home: string;
  readonly gate: Int32Array;
  readonly threads: number;
  readonly pause: number;
}

/** What became of it: whether the log was made here, and which it is; or the code of the fault. */
export interface CreateAnswer {
  readonly created?: boolean;
  readonly origin?: string;
  readonly code?: string;
}

parentPort?.on('message', ({ home, gate, threads, pause }: CreateOrder) => {
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < threads);
  const from = performance.now();
  while (performance.now() - from < pause / 1000);
  parentPort?.postMessage(attempt(home));
});

function attempt(home: string): CreateAnswer {
  try {
    return createLog({ home, name: 'localhost/writ', now: 0 });
  } catch (cause) {
    if (cause instanceof LogFault) return { code: cause.code };
    throw cause;
  }
}
