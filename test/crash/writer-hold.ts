/**
 * Loaded before a process that writes a log (`--import …/writer-hold.ts`): its writer thread says which thread it is,
 * and waits for a byte on stdin before it touches the log, so that somebody can watch it from its first system call on.
 */
import { readlinkSync, readSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread && process.argv[1]?.endsWith('/writer.ts')) {
  const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
  writeSync(1, `${JSON.stringify({ thread: Number(thread) })}\n`); // at once, while `process.stdout` needs the main thread
  readSync(0, Buffer.alloc(1));
}
