/** Finds the `entry` member in a statement's bytes without parsing all of it: what the writer filled, byte for byte. */
import type { EntryPosition } from './statement.ts';

/** How the member begins; 24 characters of time follow. */
export const ENTRY_START = Buffer.from('"entry":{"at":"');
const LONGEST = 1024;
const SHAPE =
  /^"entry":\{"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","origin":"([^"\\]+)","prev":"([0-9a-f]{128})","seq":(0|[1-9]\d{0,15})\}/;

/** What follows the time in the member: the same text that `positionText` writes. */
export function positionRest(origin: string, prev: string, seq: number): string {
  return `","origin":"${origin}","prev":"${prev}","seq":${seq}}`;
}

/**
 * The position in an entry's bytes, or undefined where it has none or two. A quote inside a JSON string is escaped, so
 * nothing that an agent sent can look like the member's beginning.
 */
export function findPosition(entry: Uint8Array): EntryPosition | undefined {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  const at = bytes.indexOf(ENTRY_START);
  if (at < 0 || bytes.indexOf(ENTRY_START, at + 1) >= 0) return undefined;
  const found = SHAPE.exec(bytes.toString('latin1', at, at + LONGEST));
  const [, time = '', origin = '', prev = '', seq = ''] = found ?? [];
  return found ? { at: time, origin, prev, seq: Number(seq) } : undefined;
}
