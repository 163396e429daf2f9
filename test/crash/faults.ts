/**
 * Loaded before the sidecar (`--import …/faults.ts?name`), in each of its threads: what breaks there when the process
 * gets SIGUSR2. Faults of a program that has none of its own.
 */
import crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

interface Fault {
  /** The end of the path of the thread's entry file. */
  readonly thread: 'main' | '/writer.ts' | '/policy.ts';
  readonly break: () => void;
}

const STALL_MS = 2000;
/** How what is signed begins: DSSE's encoding, and a tree head (C2SP tlog-checkpoint). */
const RECEIPT = /^DSSEv1 /;
const CHECKPOINT = /^\S+\n\d+\n/;

const faults: Readonly<Record<string, Fault>> = {
  'uncaught-exception': { thread: 'main', break: fail },
  'unhandled-rejection': { thread: 'main', break: reject },
  'many-exceptions': { thread: 'main', break: failOften },
  'out-of-memory': { thread: 'main', break: allocate },
  stall: { thread: 'main', break: stall },
  'writer-throws': { thread: '/writer.ts', break: fail },
  'writer-rejects': { thread: '/writer.ts', break: reject },
  'writer-exits': { thread: '/writer.ts', break: () => process.exit(0) },
  'sync-fails': { thread: '/writer.ts', break: failSync },
  'signs-no-receipts': { thread: '/writer.ts', break: () => failToSign(RECEIPT) },
  'signs-no-checkpoints': { thread: '/writer.ts', break: () => failToSign(CHECKPOINT) },
  'policy-throws': { thread: '/policy.ts', break: fail },
  'policy-exits': { thread: '/policy.ts', break: () => process.exit(0) },
};

function fail(): never {
  throw new Error('provoked');
}

function reject(): void {
  void Promise.reject(new Error('provoked'));
}

/** One exception in each turn, also while the process stops. */
function failOften(): void {
  setImmediate(failOften);
  fail();
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

function failToSign(what: RegExp): void {
  const { sign } = crypto;
  const broken = (algorithm: null, data: Uint8Array, key: KeyObject): Buffer => {
    if (what.test(Buffer.from(data).toString('latin1'))) throw new Error('the key is gone');
    return sign(algorithm, data, key);
  };
  crypto.sign = broken as typeof sign; // our signer calls it in this way and no other
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
