/** What the system says of a file that cannot be read or written, in words for people. */

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not (permission denied)',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of its path is not a folder',
  EPERM: 'this user may not (operation not permitted)',
  EROFS: 'the file system is read-only',
};

/** The reason alone; whoever prints it has named the file. What has no words here stands as the system said it. */
export function fileFault(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return ('code' in cause && typeof cause.code === 'string' && WORDS[cause.code]) || cause.message;
}
