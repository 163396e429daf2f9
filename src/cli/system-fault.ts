/** What the operating system refused, as a command failure: the file, the reason in words, and what to do. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileFault } from '../config/file-fault.ts';
import { unable } from './exit.ts';
import type { CommandFailure } from './exit.ts';

/** Exit 3 for an error of the file system; undefined for any other. */
export function systemFailure(cause: unknown): CommandFailure | undefined {
  if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) return undefined;
  const path = 'path' in cause && typeof cause.path === 'string' ? cause.path : undefined;
  return unable(`${path === undefined ? '' : `${path}: `}${fileFault(cause)}`, remedyOf(cause.code, path));
}

function remedyOf(code: unknown, path: string | undefined): string | undefined {
  if (code === 'ENOSPC') return 'Make room on that disk, then run this again.';
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  const owner = path === undefined ? undefined : ownerOf(path);
  const mine = process.getuid?.();
  if (owner === undefined || owner === mine) return 'Name another place, or open this one to this user.';
  return `It belongs to uid ${owner}, and this is uid ${mine}: run writ as that user, or name another place (--home).`;
}

/** Of the nearest folder above it that can be looked at. */
function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return dirname(path) === path ? undefined : ownerOf(dirname(path));
  }
}
