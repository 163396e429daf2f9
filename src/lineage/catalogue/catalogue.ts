/**
 * The catalogue of a log: an SQLite file in which entries are found by time, verdict, code, agent, host, grant and policy
 * revision. It is made by readers, from the log, off the path of calls. It is evidence of nothing: its rows only point to
 * entries, which are read from the log, and whatever is wrong with it, it is made anew.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue } from 'node:sqlite';
import { chainHash } from '../audit.ts';
import { isDamage, isUnwritable } from './fault.ts';
import { SCHEMA, writeRow } from './row.ts';
import { factsOf } from '../facts.ts';
import { conditionsOf } from '../filter.ts';
import type { EntryFilter } from '../filter.ts';
import type { LogLayout } from '../layout.ts';
import { locateEntries, readLocated } from '../locate.ts';
import type { Place } from '../locate.ts';
import { holeOf } from '../hole.ts';

/** An entry that was found. */
export interface Found {
  readonly seq: number;
  readonly place: Place;
}

/** How many entries to answer with, and from which end. */
export interface FindOrder {
  /** The lowest number. */
  readonly from?: number;
  readonly limit: number;
  /** The last ones instead of the first ones. The answer is in the log's order all the same. */
  readonly newest?: boolean;
}

/** One grant of a delegation tree: how often it was used itself, and what was delegated from it. */
export interface GrantNode {
  readonly jti: string;
  readonly permits: number;
  readonly denials: number;
  readonly children: readonly GrantNode[];
}

/** Which log, and who hears how far a long reading has come. */
export interface CatalogueRules {
  readonly layout: LogLayout;
  /** The log's origin: the catalogue of another log is made anew. */
  readonly origin: string;
  readonly onProgress?: (entries: number) => void;
}

const FORMAT = 2;
/** Entries read between two commits. */
const CHUNK = 20_000;
const CACHE_KIB = 32_768;
/** Another reader may be filling the catalogue. */
const PATIENCE_MS = 30_000;

/** An open catalogue, as new as its last `refresh`. */
export class Catalogue {
  readonly #rules: CatalogueRules;
  #database: DatabaseSync;
  /** The last entry that was read. */
  #last: Uint8Array = new Uint8Array(0);

  /**
   * Opens the catalogue of a log and brings it up to date. Where its file cannot be written (a copy on a read-only
   * disk, a full one), it is made in memory. Throws `LogFault` where the log itself cannot be read.
   */
  constructor(rules: CatalogueRules) {
    this.#rules = rules;
    this.#database = openDatabase(rules.layout.catalogue);
    this.refresh();
  }

  /** Makes the catalogue anew, from the log's first entry. */
  static rebuild(rules: CatalogueRules): Catalogue {
    remove(rules.layout.catalogue);
    return new Catalogue(rules);
  }

  /** Reads what was written since; the number of entries that it knows now. */
  refresh(): number {
    return this.#mending(() => this.#fill());
  }

  /** Entries that pass the filter, in the log's order. */
  find(filter: EntryFilter, { from = 0, limit, newest = false }: FindOrder): readonly Found[] {
    const { sql, values } = conditionsOf(filter);
    const text = `SELECT seq, segment, offset FROM entries WHERE seq >= :from ${sql}
      ORDER BY seq ${newest ? 'DESC' : 'ASC'} LIMIT :limit`;
    const rows = this.#mending(() => this.#rows(text, { ...values, from, limit }));
    const found = rows.map(({ seq, segment, offset }) => ({
      seq: Number(seq),
      place: { segment: Number(segment), offset: Number(offset) },
    }));
    return newest ? found.reverse() : found;
  }

  /** The bytes of a found entry, from the log; undefined where it is no longer there. */
  read({ seq, place }: Found): Uint8Array | undefined {
    return readLocated(this.#rules.layout.segments, seq, place);
  }

  /** The entry that closes a permit; undefined where nothing does. */
  outcomeOf(permit: number): Found | undefined {
    return this.find({ kind: 'outcome', permit }, { from: permit, limit: 1 })[0];
  }

  /** A grant and what was delegated from it, as far as calls under it are on record. */
  grantTree(jti: string): GrantNode {
    const text = `SELECT leaf.jti AS jti, parent.jti AS parent, verdict, count(entries.seq) AS count
      FROM links AS of
      JOIN links AS leaf ON leaf.seq = of.seq AND leaf.depth >= of.depth
      LEFT JOIN links AS parent ON parent.seq = leaf.seq AND parent.depth = leaf.depth - 1
      LEFT JOIN entries ON entries.seq = leaf.seq AND kind = 'decision'
        AND NOT EXISTS (SELECT 1 FROM links AS below WHERE below.seq = leaf.seq AND below.depth > leaf.depth)
      WHERE of.jti = :jti GROUP BY leaf.jti, parent.jti, verdict`;
    return treeOf(
      jti,
      this.#mending(() => this.#rows(text, { jti })),
    );
  }

  close(): void {
    this.#database.close();
  }

  #rows(sql: string, values: Readonly<Record<string, SQLInputValue>>): readonly Row[] {
    return this.#database.prepare(sql).all(values);
  }

  #fill(): number {
    for (;;) {
      const { size, added } = this.#transaction(() => this.#readChunk());
      if (added < CHUNK) return size;
      this.#rules.onProgress?.(size);
    }
  }

  /** Checks that these are the entries of this log, then takes up to `CHUNK` more. */
  #readChunk(): { readonly size: number; readonly added: number } {
    const { layout } = this.#rules;
    let size = this.#knownSize();
    const from = size;
    for (const { seq, bytes, place } of locateEntries(layout.segments, size)) {
      writeRow(this.#database, { seq, place, facts: factsOf(bytes) });
      size = seq + 1;
      this.#last = bytes;
      if (size - from >= CHUNK) break;
    }
    if (size > from) this.#remember(size);
    return { size, added: size - from };
  }

  #remember(size: number): void {
    const { origin } = this.#rules;
    const last = chainHash(this.#last);
    this.#database.exec('DELETE FROM state');
    this.#database.prepare('INSERT INTO state VALUES (?, ?, ?, ?)').run(FORMAT, origin, size, last);
  }

  /** How many entries are known; 0, and nothing kept, where they are not those of the log as it is now. */
  #knownSize(): number {
    this.#database.exec(`PRAGMA cache_size = -${CACHE_KIB}; ${SCHEMA}`);
    const [state] = this.#rows('SELECT * FROM state', {});
    const size = Number(state?.['size'] ?? 0);
    if (state && this.#isOurs(state, size)) {
      const pruned = `seq > 0 AND seq < ${holeOf(this.#rules.layout) ?? 0}`;
      this.#database.exec(`DELETE FROM entries WHERE ${pruned}; DELETE FROM links WHERE ${pruned}`);
      return size;
    }
    this.#database.exec('DELETE FROM entries; DELETE FROM links; DELETE FROM state');
    return 0;
  }

  #isOurs(state: Row, size: number): boolean {
    const { layout, origin } = this.#rules;
    if (state['format'] !== FORMAT || state['origin'] !== origin) return false;
    const [row] = this.#rows('SELECT segment, offset FROM entries WHERE seq = :seq', { seq: size - 1 });
    const place = { segment: Number(row?.['segment']), offset: Number(row?.['offset']) };
    const last = row && readLocated(layout.segments, size - 1, place);
    return last !== undefined && chainHash(last) === state['last'];
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      this.#database.exec('COMMIT');
      return value;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  /** A file that turns out to be damaged, or that cannot be written, is given up for a new one, once. */
  #mending<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (!isDamage(cause) && !isUnwritable(cause)) throw cause;
      this.#database.close();
      if (isDamage(cause)) remove(this.#rules.layout.catalogue);
      this.#database = isDamage(cause)
        ? openDatabase(this.#rules.layout.catalogue)
        : new DatabaseSync(':memory:');
      this.#fill();
      return work();
    }
  }
}

type Row = Readonly<Record<string, unknown>>;

/** Opens the file, or memory where there can be none. Only its owner may read it: it holds what agents called. */
function openDatabase(path: string): DatabaseSync {
  try {
    closeSync(openSync(path, 'a', 0o600));
    return new DatabaseSync(path, { timeout: PATIENCE_MS });
  } catch {
    return new DatabaseSync(':memory:');
  }
}

function remove(path: string): void {
  for (const name of [path, `${path}-journal`]) rmSync(name, { force: true });
}

/** Joins rows of (grant, its parent, verdict, count) to the tree below one grant. */
function treeOf(jti: string, rows: readonly Row[]): GrantNode {
  const own = rows.filter((row) => row['jti'] === jti);
  const count = (verdict: string): number =>
    own.reduce((sum, row) => sum + (row['verdict'] === verdict ? Number(row['count']) : 0), 0);
  const below = new Set(rows.filter((row) => row['parent'] === jti).map((row) => String(row['jti'])));
  const rest = rows.filter((row) => row['jti'] !== jti); // a chain that names a grant twice must not go on for ever
  return {
    jti,
    permits: count('permit'),
    denials: count('deny'),
    children: [...below]
      .filter((child) => child !== jti)
      .sort()
      .map((child) => treeOf(child, rest)),
  };
}
