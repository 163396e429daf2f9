/** Bodies on disk: each in a file that loses its name at once, so that nothing is left when it is closed. */
import { randomUUID } from 'node:crypto';
import { constants, mkdir, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Spool, SpooledFile } from '../gate/held-body.ts';

/** A folder of nameless files. */
export class DiskSpool implements Spool {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
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
      return fileOf(handle);
    } catch {
      return undefined;
    }
  }
}

function fileOf(handle: FileHandle): SpooledFile {
  return {
    write: async (bytes) => {
      try {
        await handle.writeFile(bytes); // from where the last one ended
        return true;
      } catch {
        return false;
      }
    },
    read: (): Readable => handle.createReadStream({ start: 0, autoClose: false }),
    release: () => void handle.close().catch(() => undefined), // the file has no name to lose
  };
}
