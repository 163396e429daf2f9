/** The one segment file that is being written. Whatever goes wrong with it throws, and must end the log. */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { appendFully, syncDirectory } from './durable.ts';

/** An open segment. */
export class SegmentFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #identity: string;
  #length: number;

  private constructor(path: string, fd: number, length: number) {
    this.#path = path;
    this.#fd = fd;
    this.#length = length;
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#identity = `${dev}:${ino}`;
  }

  /** A new, empty segment; its name is durable. */
  static create(path: string): SegmentFile {
    const fd = openSync(path, 'ax', 0o600);
    syncDirectory(dirname(path));
    return new SegmentFile(path, fd, 0);
  }

  /** An existing segment, to go on after its first `length` bytes; what follows them is cut off. */
  static open(path: string, length: number): SegmentFile {
    const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND); // never creates it
    if (fstatSync(fd).size > length) ftruncateSync(fd, length);
    return new SegmentFile(path, fd, length);
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Appends one batch. Durable on return, in the file that everyone else sees under this name. The cut at its end changes
   * nothing, but takes a transaction, which fails where the file system has given up its journal: between that and its
   * telling so ext4 answers a sync with success for what it does not keep (Linux 6.18; docs/lineage.md).
   */
  append(bytes: Uint8Array): void {
    appendFully(this.#fd, bytes);
    this.#length += bytes.length;
    fdatasyncSync(this.#fd);
    this.check();
    ftruncateSync(this.#fd, this.#length);
  }

  /**
   * A file that was unlinked or replaced takes writes and syncs as before; nobody would ever read them. One that was cut
   * is shorter than we know, because every write goes to its end.
   */
  check(): void {
    const { dev, ino, size } = statSync(this.#path, { bigint: true });
    if (`${dev}:${ino}` !== this.#identity) throw new Error(`${this.#path} was replaced by another file`);
    if (Number(size) !== this.#length) throw new Error(`${this.#path} was cut or grown by someone else`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
