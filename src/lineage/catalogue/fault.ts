/** What SQLite's faults mean for a catalogue, which can always be made anew. */

const SQLITE_ERROR = 1;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_MISMATCH = 20;
const SQLITE_NOTADB = 26;

/** The file is no catalogue of ours: broken, of another shape, or no database at all. */
export function isDamage(cause: unknown): boolean {
  return [SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_MISMATCH, SQLITE_NOTADB].includes(codeOf(cause));
}

/** The file, or the journal beside it, cannot be written: a disk that is read-only, full, or failing. */
export function isUnwritable(cause: unknown): boolean {
  return [SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN].includes(codeOf(cause));
}

/** SQLite's primary result code; -1 for anything else than SQLite's. */
function codeOf(cause: unknown): number {
  return cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number'
    ? cause.errcode & 0xff
    : -1;
}
