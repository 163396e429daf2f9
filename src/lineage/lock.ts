/** One writer a log: an SQLite lock that the kernel drops when its process dies, however it dies. */
import { DatabaseSync } from 'node:sqlite';
import { LogFault } from './fault.ts';

/** A held lock. */
export interface LogLock {
  release(): void;
}

/** Locks the log whose lock file this is. Throws `log_locked` where another writer holds it. */
export function lockLog(path: string): LogLock {
  const database = open(path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw faultOf(path, cause);
  }
  return { release: () => database.close() };
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (cause) {
    throw faultOf(path, cause);
  }
}

const SQLITE_BUSY = 5;

function faultOf(path: string, cause: unknown): LogFault {
  if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY)
    return new LogFault(
      'log_locked',
      'Another process writes this log. Stop it first, or give this one a home of its own (--home).',
    );
  return new LogFault('log_unreadable', `The log's lock ${path} cannot be opened: ${String(cause)}.`);
}
