/** Writes that survive a power cut once they return. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes the names in a directory durable. */
export function syncDirectory(directory: string): void {
  syncFile(directory);
}

/** Makes what stands in a file durable. */
export function syncFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes all of `bytes` at `position`: one `write` may take fewer. */
export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Writes all of `bytes` at the end of a file that is open for appending. */
export function appendFully(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done);
}

/** Puts a file into its place in one step: after a crash there is the old one or the new one, whole. */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', mode);
  try {
    writeFully(fd, Buffer.from(content), 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Puts a file where none is, durable on return; where it cannot be written there is none. Throws `EEXIST` where one is. */
export function createFile(path: string, content: string, mode = 0o600): void {
  const fd = openSync(path, 'wx', mode);
  try {
    writeFully(fd, Buffer.from(content), 0);
    fsyncSync(fd);
  } catch (cause) {
    rmSync(path, { force: true });
    throw cause;
  } finally {
    closeSync(fd);
  }
  syncDirectory(dirname(path));
}

/** Makes a directory that only its owner may enter, with those above it that are not there, and their names durable. */
export function makeDirectory(path: string): void {
  const made = makeMissing(path, 0o700);
  const top = dirname(resolve(made ?? path));
  for (let above = dirname(resolve(path)); above.length >= top.length; above = dirname(above)) {
    syncDirectory(above);
    if (above === top) return;
  }
}

/**
 * Makes a directory and those above it that are not there; answers the topmost that was made. Node's own `recursive`
 * asks again for ever where the kernel answers ENOENT though the directory above is there, as it does below /proc.
 */
export function makeMissing(path: string, mode: number): string | undefined {
  const target = resolve(path);
  if (isDirectory(target)) return undefined;
  const top = makeMissing(dirname(target), mode);
  try {
    mkdirSync(target, { mode });
  } catch (cause) {
    if (!isDirectory(target)) throw cause; // another process may have made it meanwhile
  }
  return top ?? target;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
