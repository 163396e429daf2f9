/** What the system says of a file that cannot be read or written, in words for people. */
import { statSync } from 'node:fs';

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied to this user',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of its path is not a folder',
  EPERM: 'not permitted to this user',
  EROFS: 'the file system is read-only',
};

/** The reason alone; whoever prints it has named the file. What has no words here stands as the system said it. */
export function fileFault(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return ('code' in cause && typeof cause.code === 'string' && WORDS[cause.code]) || cause.message;
}

/** Whether something stands at this path. Throws where nobody can tell (another user’s folder, a disk that fails): that is not the same as nothing there. */
export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
