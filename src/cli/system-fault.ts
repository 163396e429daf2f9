/** What the operating system refused, as a command failure: the file, the reason in words, and what to do. */
import { fileFault } from '../config/file-fault.ts';
import { systemRemedy } from '../lineage/system-remedy.ts';
import { unable } from './exit.ts';
import type { CommandFailure } from './exit.ts';

/** Exit 3 for an error of the file system; undefined for any other. */
export function systemFailure(cause: unknown): CommandFailure | undefined {
  if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) return undefined;
  const path = 'path' in cause && typeof cause.path === 'string' ? cause.path : undefined;
  return unable(`${path === undefined ? '' : `${path}: `}${fileFault(cause)}`, systemRemedy(cause));
}
