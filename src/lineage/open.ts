/** Opens a log for writing: starts its writer thread and waits until it says that the log is good. */
import { Worker } from 'node:worker_threads';
import { threadEntry } from '../config/thread-entry.ts';
import { LogFault } from './fault.ts';
import type { LogFaultCode } from './fault.ts';
import { layoutOf } from './layout.ts';
import type { Lineage } from './lineage.ts';
import { ANY_ROOM } from './space.ts';
import type { SpaceRules } from './space.ts';
import { WriterClient } from './writer/client.ts';
import type { WriterData, WriterReady } from './writer/protocol.ts';

/** How a log is opened. */
export interface LineageOptions {
  readonly home: string;
  /** Where given, the origin must begin with it. */
  readonly name?: string;
  /** An append that is not durable after so many milliseconds is refused. */
  readonly deadlineMs: number;
  /** A segment that is this long is followed by a new one; 64 MiB by default. */
  readonly segmentBytes?: number;
  /** One whose first entry is so many seconds old, too; a day by default. */
  readonly segmentSeconds?: number;
  /** How often the `checkpoint` file is brought up to date; every 2 s by default. */
  readonly vouchMs?: number;
  /** What is said of the room on its disk; by default there is always enough. */
  readonly space?: SpaceRules;
}

const MEBIBYTE = 1024 * 1024;
const DAY_SECONDS = 86_400;

/** The log of a home, locked, recovered and verified. Rejects with `LogFault`, whose message tells what to do. */
export function openLineage(options: LineageOptions): Promise<Lineage> {
  const { home, name, deadlineMs, segmentBytes = 64 * MEBIBYTE } = options;
  const { segmentSeconds = DAY_SECONDS, vouchMs = 2000, space = ANY_ROOM } = options;
  const workerData: WriterData = { home, name, segmentBytes, segmentSeconds, vouchMs, space };
  const worker = new Worker(threadEntry('writer'), { workerData });
  const { directory } = layoutOf(home);
  return new Promise((resolve, reject) => {
    let fault: Error = new LogFault(
      'log_unreadable',
      'The writer of the log ended without a word. Start again.',
    );
    worker.once('message', (ready: WriterReady) => {
      // At once: a thread may be gone in the same turn in which its first word arrives.
      if (ready.ready) resolve(new WriterClient({ worker, ready, directory, deadlineMs }));
      else fault = faultOf(ready);
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(fault));
  });
}

function faultOf({ code, message, index }: Extract<WriterReady, { ready: false }>): LogFault {
  return new LogFault(code as LogFaultCode, message, index); // the writer sends a LogFault's own code
}
