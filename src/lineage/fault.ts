/** Why a log cannot be made or opened. Each message says what to do. */
import { isFull, systemRemedy } from './system-remedy.ts';

/** Every way in which opening fails. */
export type LogFaultCode =
  | 'log_missing'
  | 'log_half_made'
  | 'log_locked'
  | 'log_damaged'
  | 'log_rolled_back'
  | 'log_key_missing'
  | 'log_key_invalid'
  | 'log_name_mismatch'
  | 'log_no_room'
  | 'log_unreadable';

/** A log that is not opened. */
export class LogFault extends Error {
  override readonly name = 'LogFault';
  readonly code: LogFaultCode;
  /** The first entry that cannot be trusted, where the log is damaged. */
  readonly index: number | undefined;

  constructor(code: LogFaultCode, message: string, index?: number) {
    super(message);
    this.code = code;
    this.index = index;
  }
}

/** The damage that an audit found, as a fault. */
export function damaged({ index, what }: { readonly index: number; readonly what: string }): LogFault {
  return new LogFault(
    'log_damaged',
    `The log is damaged at entry ${index}: ${what}. Nothing was changed. Keep this directory as evidence, ` +
      'find out who or what wrote to it, then restore a good copy or start a new log in another home (`writ init --follows`).',
    index,
  );
}

/** What the operating system said when the log was opened or recovered, as a fault that says what to do. */
export function systemFault(cause: unknown, what = 'The log cannot be opened'): LogFault {
  const message = cause instanceof Error ? cause.message : String(cause);
  const told = [`${what}: ${message}.`, systemRemedy(cause) ?? []].flat().join(' ');
  return new LogFault(isFull(cause) ? 'log_no_room' : 'log_unreadable', told);
}
