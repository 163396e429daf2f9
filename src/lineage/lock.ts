/**
 * One writer a log, and beside it one archiving or pruning: SQLite locks, which the kernel drops when their process dies,
 * however it dies.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogFault, systemFault } from './fault.ts';
import type { LogLayout } from './layout.ts';

/** A held lock. */
export interface LogLock {
  release(): void;
}

/** Locks a log for its writer. Throws `log_locked` where another one holds it. */
export function lockLog({ lock }: LogLayout): LogLock {
  return hold(lock, {
    what: 'The log’s writer cannot take its lock',
    held: 'Another process writes this log. Stop it first, or give this one a home of its own (--home).',
  });
}

/** Locks the old segments of a log for whoever copies or drops them. Throws `log_locked` where another one is at it. */
export function lockRetention({ retentionLock }: LogLayout): LogLock {
  return hold(retentionLock, {
    what: '`writ lineage archive` and `prune` hold a lock in the home while they work, and cannot take it',
    held: 'Another `writ lineage archive` or `prune` is at work on this log. Nothing was changed. Let it end, then run this again.',
  });
}

interface Words {
  /** What failed, where the lock cannot be taken at all. */
  readonly what: string;
  /** Said where another one has it. */
  readonly held: string;
}

/** Of two that lock at the same moment each may meet the other's attempt, and neither would have it. */
const PATIENCE_MS = 200;

function hold(path: string, { what, held }: Words): LogLock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: PATIENCE_MS });
    accessSync(path, constants.W_OK); // SQLite opens what it cannot write to for reading, and then locks nothing
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'); // no journal: a full disk can be pruned
  } catch (cause) {
    database?.close();
    throw isBusy(cause) ? new LogFault('log_locked', held) : faultOf(path, cause, what);
  }
  const locked = database;
  return { release: () => locked.close() };
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
}

/** SQLite does not say what the system said; asking again does. */
function faultOf(path: string, cause: unknown, what: string): LogFault {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (system) {
    return systemFault(system, what);
  }
  return systemFault(cause, `${what}, ${path}`);
}
