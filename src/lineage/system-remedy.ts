/** What to do about what the operating system said of a file, in words for whoever runs the command. */
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';

/** What Node's errors of the file system carry. */
interface SystemError {
  readonly errno: number;
  readonly path: string | undefined;
}

const { EACCES, EDQUOT, EEXIST, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS } = constants.errno;

/** By number: Node has no name for the end of a quota. */
const REMEDIES: ReadonlyMap<number, (folder: string | undefined) => string> = new Map([
  [ENOSPC, moreRoom],
  [EDQUOT, moreRoom],
  [EROFS, writable],
  [EACCES, rights],
  [EPERM, rights],
  [ENOTDIR, elsewhere],
]);

/** Whether the disk, or its quota, is full. */
export function isFull(cause: unknown): boolean {
  const number = read(cause)?.errno;
  return number === ENOSPC || number === EDQUOT;
}

/** Whether there is no such file. */
export function isMissing(cause: unknown): boolean {
  return read(cause)?.errno === ENOENT;
}

/** What to do about it; undefined where the system's own words must do. */
export function systemRemedy(cause: unknown): string | undefined {
  const { errno, path } = read(cause) ?? {};
  if (errno === undefined) return undefined;
  const folder = path === undefined ? undefined : dirname(path);
  if (isMkdir(cause) && errno === EEXIST)
    return `${path ?? 'It'} is there, and is no folder: name another place.`;
  if (isMkdir(cause) && errno === ENOENT) return elsewhere(folder);
  return REMEDIES.get(errno)?.(folder);
}

function read(cause: unknown): SystemError | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code = 'code' in cause ? cause.code : undefined;
  const named = Object.entries(constants.errno).find(([name]) => name === code)?.[1];
  const errno = 'errno' in cause && typeof cause.errno === 'number' ? -cause.errno : named;
  const path = 'path' in cause && typeof cause.path === 'string' ? cause.path : undefined;
  return errno === undefined ? undefined : { errno, path };
}

function isMkdir(cause: unknown): boolean {
  return cause instanceof Error && 'syscall' in cause && cause.syscall === 'mkdir';
}

function moreRoom(): string {
  return 'Make room on its disk, or raise its quota, and start again: nothing is lost.';
}

function writable(folder: string | undefined): string {
  return (
    `${named(folder)} is mounted read-only, and has to be written to. Mount it for writing, or name another place; ` +
    'where nobody mounted it so, Linux did at a fault of the disk: look into the kernel’s log first.'
  );
}

function rights(folder: string | undefined): string {
  const user = process.geteuid?.() ?? 'unknown';
  const found = folder === undefined ? undefined : ownerAt(folder);
  const owned = found === undefined ? '' : `, and ${found.folder} belongs to user ${found.owner}`;
  return (
    `This process runs as user ${user}${owned}. Run it as the user who owns it, or name another place; a home belongs ` +
    'to its sidecar’s user as a whole (`chown -R`). Where the user is right, a mount option, an attribute (`lsattr`) or ' +
    'a security module forbids it.'
  );
}

function elsewhere(folder: string | undefined): string {
  return `${named(folder)} takes no files or folders: name another place.`;
}

function named(folder: string | undefined): string {
  return folder ?? 'Its file system';
}

/** Who owns a folder, or the nearest one above it that can be looked at. */
function ownerAt(folder: string): { readonly folder: string; readonly owner: number } {
  try {
    return { folder, owner: statSync(folder).uid };
  } catch {
    return dirname(folder) === folder ? { folder, owner: 0 } : ownerAt(dirname(folder));
  }
}
