/** The catalogue's tables, and how one entry gets into them. */
import type { DatabaseSync } from 'node:sqlite';
import type { EntryFacts } from '../facts.ts';
import type { Place } from '../locate.ts';

/** Tables and indices. `links`: which grants stand in an entry's chain, root at depth 0. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS state (format INTEGER, origin TEXT, size INTEGER, last TEXT);
  CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, segment INTEGER, offset INTEGER, kind TEXT, at INTEGER, verdict TEXT, code TEXT,
    agent TEXT, host TEXT, revision TEXT, permit INTEGER);
  CREATE TABLE IF NOT EXISTS links (jti TEXT, seq INTEGER, depth INTEGER, PRIMARY KEY (jti, seq, depth)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS entries_at ON entries (at);
  CREATE INDEX IF NOT EXISTS entries_code ON entries (code) WHERE code IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entries_agent ON entries (agent) WHERE agent IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entries_host ON entries (host) WHERE host IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entries_permit ON entries (permit) WHERE permit IS NOT NULL;
  CREATE INDEX IF NOT EXISTS links_seq ON links (seq, depth);`;

/** An entry on its way into the catalogue. */
export interface CatalogueRow {
  readonly seq: number;
  readonly place: Place;
  readonly facts: EntryFacts;
}

const INSERT_ENTRY = `INSERT OR REPLACE INTO entries
  VALUES (:seq, :segment, :offset, :kind, :at, :verdict, :code, :agent, :host, :revision, :permit)`;

/** What closes a permit is found by whatever the permit is found by. */
const INHERIT = `UPDATE entries SET (agent, host, revision) =
  (SELECT p.agent, p.host, p.revision FROM entries AS p WHERE p.seq = :permit) WHERE seq = :seq`;
const INHERIT_LINKS = `INSERT OR REPLACE INTO links SELECT jti, :seq, depth FROM links WHERE seq = :permit`;
const INSERT_LINK = 'INSERT OR REPLACE INTO links VALUES (?, ?, ?)';

/** Statements are prepared once a database. */
const prepared = new WeakMap<DatabaseSync, ReturnType<typeof prepare>>();

/** Puts one entry into the catalogue. */
export function writeRow(database: DatabaseSync, { seq, place, facts }: CatalogueRow): void {
  const statements = prepared.get(database) ?? prepare(database);
  prepared.set(database, statements);
  const { chain, ...columns } = facts;
  statements.entry.run({ seq, ...place, ...columns });
  for (const [depth, jti] of chain.entries()) statements.link.run(jti, seq, depth);
  if (facts.kind !== 'outcome' || facts.permit === null) return;
  statements.inherit.run({ seq, permit: facts.permit });
  statements.inheritLinks.run({ seq, permit: facts.permit });
}

function prepare(database: DatabaseSync) {
  return {
    entry: database.prepare(INSERT_ENTRY),
    link: database.prepare(INSERT_LINK),
    inherit: database.prepare(INHERIT),
    inheritLinks: database.prepare(INHERIT_LINKS),
  };
}
