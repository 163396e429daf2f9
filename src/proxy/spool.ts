/** Bodies on disk: each in a file that loses its name at once, so that nothing is left when it is closed. */
import { randomUUID } from 'node:crypto';
import { constants, mkdir, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Spool, SpooledFile } from '../gate/held-body.ts';

/** A folder of nameless files, with a share of the disk for all of them together. */
export class DiskSpool implements Spool {
  readonly #folder: string;
  readonly #most: number;
  #used = 0;

  /** `most`: bytes of all files together. */
  constructor(folder: string, most: number) {
    this.#folder = folder;
    this.#most = most;
  }

  /** Bytes that lie on disk now. */
  get used(): number {
    return this.#used;
  }

  async open(): Promise<SpooledFile | undefined> {
    try {
      const path = join(this.#folder, `${randomUUID()}.body`);
      const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      const create = (): Promise<FileHandle> => open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      const handle = await create().catch(async () => {
        await mkdir(this.#folder, { recursive: true, mode: 0o700 });
        return create();
      });
      await unlink(path);
      return this.#file(handle);
    } catch {
      return undefined;
    }
  }

  #file(handle: FileHandle): SpooledFile {
    let length = 0;
    let released = false;
    return {
      write: async (bytes) => {
        if (released || this.#used + bytes.length > this.#most) return false;
        this.#used += bytes.length;
        length += bytes.length;
        try {
          await handle.writeFile(bytes); // from where the last one ended
          return true;
        } catch {
          return false;
        }
      },
      read: (): Readable => handle.createReadStream({ start: 0, autoClose: false }),
      release: () => {
        if (released) return;
        released = true;
        this.#used -= length;
        handle.close().catch(() => undefined); // waits for what is being read; the file has no name to lose
      },
    };
  }
}
