/**
 * One writer a log, and beside it one archiving or pruning: SQLite locks, which the kernel drops when their process dies,
 * however it dies.
 */
import { DatabaseSync } from 'node:sqlite';
import { LogFault } from './fault.ts';
import type { LogLayout } from './layout.ts';

/** A held lock. */
export interface LogLock {
  release(): void;
}

/** Locks a log for its writer. Throws `log_locked` where another one holds it. */
export function lockLog({ lock }: LogLayout): LogLock {
  return hold(
    lock,
    'Another process writes this log. Stop it first, or give this one a home of its own (--home).',
  );
}

/** Locks the old segments of a log for whoever copies or drops them. Throws `log_locked` where another one is at it. */
export function lockRetention({ retentionLock }: LogLayout): LogLock {
  return hold(
    retentionLock,
    'Another `writ lineage archive` or `prune` is at work on this log. Nothing was changed. Let it end, then run this again.',
  );
}

function hold(path: string, held: string): LogLock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'); // no journal: a full disk can be pruned
  } catch (cause) {
    database?.close();
    throw isBusy(cause) ? new LogFault('log_locked', held) : faultOf(path, cause);
  }
  const locked = database;
  return { release: () => locked.close() };
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
}

function faultOf(path: string, cause: unknown): LogFault {
  return new LogFault('log_unreadable', `The log's lock ${path} cannot be opened: ${String(cause)}.`);
}
