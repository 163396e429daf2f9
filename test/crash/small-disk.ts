/** A disk of a few MiB, in a file: it can be filled, and it can turn read-only under a process that writes to it. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from '../e2e/home.ts';
import { run } from '../e2e/program.ts';

const MEBIBYTE = 1024 * 1024;

/** A mounted disk. */
export class SmallDisk {
  readonly path: string;

  readonly #image: string;

  private constructor(path: string, image: string) {
    this.path = path;
    this.#image = image;
  }

  /** Makes a file system of `megabytes` in a file and mounts it at `path`; a reason to skip where that is not possible. */
  static async mount(t: Teardown, path: string, megabytes: number): Promise<SmallDisk | string> {
    const folder = mkdtempSync(join(tmpdir(), 'writ-disk-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const image = join(folder, 'image');
    const made = await run('sh', [
      '-c',
      `truncate -s ${megabytes}M "$1" && mkfs.ext4 -q -F -m 0 "$1"`,
      'sh',
      image,
    ]);
    if (made.exit !== 0) return `no file system can be made here: ${made.stderr.trim()}`;
    mkdirSync(path, { recursive: true });
    const mounted = await run('mount', ['-o', 'loop,errors=remount-ro', image, path]);
    if (mounted.exit !== 0) return `nothing can be mounted here: ${mounted.stderr.trim()}`;
    t.teardown(() => run('umount', ['--lazy', path]));
    return new SmallDisk(path, image);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Lets others take all but so many bytes. */
  fill(leaving: number): void {
    const fd = openSync(join(this.path, 'ballast'), 'a');
    try {
      for (let more = this.freeBytes - leaving; more > 0; more -= MEBIBYTE)
        writeSync(fd, Buffer.alloc(Math.min(more, MEBIBYTE)));
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC')) throw cause;
    } finally {
      closeSync(fd);
    }
  }

  /** What others took is free again. */
  relieve(): void {
    rmSync(join(this.path, 'ballast'));
  }

  /** What the kernel does to a file system that it found broken: files that are open for writing take no more. */
  async turnReadOnly(): Promise<void> {
    const { exit, stderr } = await run('mount', ['-o', 'remount,abort', this.path]);
    if (exit !== 0) throw new Error(stderr);
  }

  /** Mounted anew, as an operator would after a look at it. */
  async repair(): Promise<void> {
    const { exit, stderr } = await run('sh', ['-ec', REPAIR, 'sh', this.#image, this.path]);
    if (exit !== 0) throw new Error(stderr);
  }
}

/** The kernel lets go of a dead process's files a little after its end was told. */
const REPAIR = `
  for i in $(seq 100); do umount "$2" && break || sleep 0.1; done
  e2fsck -fy "$1" >&2 || test $? -le 2
  mount -o loop,errors=remount-ro "$1" "$2"
`;
