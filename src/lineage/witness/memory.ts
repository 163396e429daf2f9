/** A witness's memory in one SQLite file: durable at every commit, whole after any crash. */
import { DatabaseSync } from 'node:sqlite';
import { sha256Hex } from '../../crypto/node.ts';
import type { Decision, WitnessMemory } from './witness.ts';

/** Commits sync the journal, the file and, after the journal went, its directory: a power cut undoes no answer. */
const PRAGMAS = 'PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;';
const WAIT_MS = 5000;

/** Makes an empty memory, or finishes one that was left half made. One that is there keeps what it remembers. */
export function createWitnessMemory(path: string): void {
  const database = new DatabaseSync(path);
  try {
    database.exec(PRAGMAS);
    database.exec(
      'CREATE TABLE IF NOT EXISTS checkpoint (origin_hash TEXT PRIMARY KEY, origin TEXT NOT NULL, note TEXT NOT NULL) STRICT',
    );
  } finally {
    database.close();
  }
}

/** An opened memory. Several processes may have it open: each update is a transaction of its own. */
export class WitnessFile implements WitnessMemory {
  readonly #database: DatabaseSync;

  /** Throws where the file is missing or is not a memory. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: WAIT_MS });
    this.#database.exec(PRAGMAS);
    this.#database.prepare('SELECT note FROM checkpoint LIMIT 1').get();
  }

  update<T>(origin: string, decide: (latest: string | undefined) => Decision<T>): T {
    const hash = sha256Hex(origin);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const { answer, remember } = decide(this.latest(hash));
      if (remember !== undefined)
        this.#database
          .prepare('INSERT OR REPLACE INTO checkpoint (origin_hash, origin, note) VALUES (?, ?, ?)')
          .run(hash, origin, remember);
      this.#database.exec('COMMIT');
      return answer;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  /** The newest cosigned note of the log whose origin has this SHA-256 (hex); undefined where there is none. */
  latest(originHash: string): string | undefined {
    const row = this.#database.prepare('SELECT note FROM checkpoint WHERE origin_hash = ?').get(originHash);
    return row === undefined ? undefined : String(row['note']);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}
