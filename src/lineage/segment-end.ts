/** What a segment file says at its end, without reading all of it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BATCH_MAGIC, batchAt } from './segment.ts';

const FIRST_LOOK = 64 * 1024;

/**
 * The tree size after the last whole batch, or −1 where there is none. What follows it is passed over: a torn tail, or one
 * that a recovery has superseded. Throws what `open` throws.
 */
export function sizeAtEnd(path: string): number {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    for (let length = Math.min(FIRST_LOOK, size); length > 0; length = Math.min(16 * length, size)) {
      const bytes = Buffer.alloc(length);
      readSync(fd, bytes, 0, length, size - length);
      const found = lastSize(bytes);
      if (found >= 0 || length === size) return found;
    }
    return -1;
  } finally {
    closeSync(fd);
  }
}

function lastSize(bytes: Buffer): number {
  const magic = Buffer.from(BATCH_MAGIC);
  for (let at = bytes.lastIndexOf(magic); at >= 0; at = at > 0 ? bytes.lastIndexOf(magic, at - 1) : -1) {
    const batch = batchAt(bytes.subarray(at));
    if (batch?.intact) return batch.size;
  }
  return -1;
}
