/** Opens a log for writing: starts its writer thread and waits until it says that the log is good. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { LogFault } from './fault.ts';
import type { LogFaultCode } from './fault.ts';
import { layoutOf } from './layout.ts';
import type { Lineage } from './lineage.ts';
import { WriterClient } from './writer-client.ts';
import type { WriterData, WriterReady } from './writer-protocol.ts';

/** How a log is opened. */
export interface LineageOptions {
  readonly home: string;
  /** Where given, the origin must begin with it. */
  readonly name?: string;
  /** An append that is not durable after so many milliseconds is refused. */
  readonly deadlineMs: number;
  /** A segment that is this long is followed by a new one; 64 MiB by default. */
  readonly segmentBytes?: number;
  /** How often the `checkpoint` file is brought up to date; every 2 s by default. */
  readonly vouchMs?: number;
}

const MEBIBYTE = 1024 * 1024;

/** The writer's entry file has this module's own ending: `.ts` in a checkout, `.js` in `dist/`. */
const WRITER = new URL(
  `../thread/writer${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`,
  import.meta.url,
);

/** The log of a home, locked, recovered and verified. Rejects with `LogFault`, whose message tells what to do. */
export async function openLineage(options: LineageOptions): Promise<Lineage> {
  const { home, name, deadlineMs, segmentBytes = 64 * MEBIBYTE, vouchMs = 2000 } = options;
  const workerData: WriterData = { home, name, segmentBytes, vouchMs };
  const worker = new Worker(WRITER, { workerData });
  const exited = once(worker, 'exit'); // asked for before the first word: both may come in one turn
  const ready = await firstWord(worker, exited);
  if (!ready.ready) {
    await exited;
    throw new LogFault(ready.code as LogFaultCode, ready.message, ready.index); // it sends a LogFault's own code
  }
  return new WriterClient({ worker, ready, directory: layoutOf(home).directory, deadlineMs });
}

/** What the writer says first. Rejects where it dies without a word. */
function firstWord(worker: Worker, exited: Promise<unknown>): Promise<WriterReady> {
  const word = once(worker, 'message').then(([ready]) => ready as WriterReady); // its first message
  const silence = exited.then((): never => {
    throw new LogFault('log_unreadable', 'The log cannot be opened: its writer ended without a word.');
  });
  silence.catch(() => undefined); // a writer that ends later is its client's business
  return Promise.race([word, silence]);
}
