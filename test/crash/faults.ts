/**
 * Loaded before the sidecar (`--import …/faults.ts?name`), in each of its threads: what breaks there when the process
 * gets SIGUSR2. Faults of a program that has none of its own.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

interface Fault {
  /** The end of the path of the thread's entry file. */
  readonly thread: 'main' | '/writer.ts' | '/policy.ts';
  readonly break: () => void;
}

const STALL_MS = 2000;

const faults: Readonly<Record<string, Fault>> = {
  'uncaught-exception': { thread: 'main', break: fail },
  'unhandled-rejection': { thread: 'main', break: () => void Promise.reject(new Error('provoked')) },
  'out-of-memory': { thread: 'main', break: allocate },
  stall: { thread: 'main', break: stall },
  'writer-throws': { thread: '/writer.ts', break: fail },
  'writer-exits': { thread: '/writer.ts', break: () => process.exit(0) },
  'sync-fails': { thread: '/writer.ts', break: failSync },
  'policy-throws': { thread: '/policy.ts', break: fail },
  'policy-exits': { thread: '/policy.ts', break: () => process.exit(0) },
};

function fail(): never {
  throw new Error('provoked');
}

/** A little more in each turn, so that calls go on until there is nothing left. */
function allocate(): void {
  const kept: unknown[] = [];
  const more = (): void => {
    for (let i = 0; i < 100_000; i++) kept.push({ i });
    setImmediate(more);
  };
  more();
}

function stall(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
}

function failSync(): void {
  fs.fdatasyncSync = () => {
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  };
  syncBuiltinESMExports();
}

const fault = faults[new URL(import.meta.url).search.slice(1)];
if (!fault) throw new Error(`${import.meta.url} names no fault`);
const channel = new BroadcastChannel('faults');
channel.unref();
if (!isMainThread) {
  if (process.argv[1]?.endsWith(fault.thread)) channel.onmessage = fault.break;
} else if (fault.thread === 'main') process.on('SIGUSR2', fault.break);
else process.on('SIGUSR2', () => channel.postMessage('break'));
