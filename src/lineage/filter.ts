/** Which entries are asked for. */
import type { SQLInputValue } from 'node:sqlite';

/** Every given member must hold. */
export interface EntryFilter {
  /** Milliseconds since 1970: not before. */
  readonly since?: number;
  /** Milliseconds since 1970: before. */
  readonly until?: number;
  readonly kind?: string;
  readonly verdict?: 'permit' | 'deny';
  /** A denial's code, or what cut a call. */
  readonly code?: string;
  readonly agent?: string;
  /** A host without a port, or `*.` and the end of its name. */
  readonly host?: string;
  /** A grant's `jti`: calls under it and under all that was delegated from it. */
  readonly grant?: string;
  /** The policy's revision. */
  readonly revision?: string;
  /** The permit that an entry closes or follows. */
  readonly permit?: number;
}

/** Conditions for `WHERE seq >= :from …`, and their values. */
export interface Conditions {
  readonly sql: string;
  readonly values: Readonly<Record<string, SQLInputValue>>;
}

const SQL: Readonly<Record<keyof EntryFilter, string>> = {
  since: 'at >= :since',
  until: 'at < :until',
  kind: 'kind = :kind',
  verdict: 'verdict = :verdict',
  code: 'code = :code',
  agent: 'agent = :agent',
  host: 'host = :host',
  grant: 'seq IN (SELECT seq FROM links WHERE jti = :grant)',
  revision: 'revision = :revision',
  permit: 'permit = :permit',
};

/** The filter as SQL. Values are bound, never part of the text. */
export function conditionsOf(filter: EntryFilter): Conditions {
  const { host, ...rest } = filter;
  const ending = host?.startsWith('*.') ? host.slice(1) : undefined;
  const given = { ...rest, ...(host !== undefined && ending === undefined && { host }) };
  const names = Object.keys(given) as readonly (keyof EntryFilter)[]; // members of an EntryFilter
  const parts = names.map((name) => `AND ${SQL[name]}`);
  if (ending === undefined) return { sql: parts.join(' '), values: given };
  return {
    sql: [...parts, 'AND substr(host, -length(:ending)) = :ending'].join(' '),
    values: { ...given, ending },
  };
}
