/** What an entry can be found by. Facts only point to an entry: what it says is read from the log. */
import { isJsonObject } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';

/** One entry's facts. Absent ones are null: that is what the catalogue keeps. All texts are untrusted. */
export interface EntryFacts {
  /** `decision`, `outcome` …; `unknown` where the entry cannot be read. */
  readonly kind: string;
  /** Milliseconds since 1970, by the sidecar's clock; 0 where the entry tells no time. */
  readonly at: number;
  readonly verdict: string | null;
  /** The denial's code, or what cut a call. */
  readonly code: string | null;
  /** The grant's `sub`. */
  readonly agent: string | null;
  /** Without a port; IPv6 addresses in brackets. */
  readonly host: string | null;
  /** The policy's revision. */
  readonly revision: string | null;
  /** The permit that this entry closes or follows. */
  readonly permit: number | null;
  /** The `jti` of each grant of the chain, root first. */
  readonly chain: readonly string[];
}

/** The facts of an entry's bytes. Never throws: an entry that makes no sense can still be found by its number. */
export function factsOf(bytes: Uint8Array): EntryFacts {
  const statement = parse(bytes);
  const predicate = memberOf(statement, 'predicate');
  const grant = memberOf(predicate, 'grant');
  const permit = memberOf(predicate, 'permit');
  return {
    kind: /^urn:writ:(.+):v\d+$/.exec(textOf(memberOf(statement, 'predicateType')) ?? '')?.[1] ?? 'unknown',
    at: Date.parse(textOf(memberOf(memberOf(predicate, 'entry'), 'at')) ?? '') || 0,
    verdict: textOf(memberOf(predicate, 'verdict')),
    code: textOf(memberOf(predicate, 'code')) ?? textOf(memberOf(predicate, 'by')),
    agent: textOf(memberOf(grant, 'sub')) ?? textOf(memberOf(predicate, 'sub')),
    host: hostOf(predicate),
    revision:
      textOf(memberOf(memberOf(predicate, 'policy'), 'revision')) ?? textOf(memberOf(predicate, 'revision')),
    permit: typeof permit === 'number' ? permit : null,
    chain: chainOf(predicate, grant),
  };
}

/** Lenient, and four times as fast as what verifies: an entry that is found is read again, strictly. */
function parse(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as Json; // each member is checked
  } catch {
    return undefined;
  }
}

function hostOf(predicate: Json | undefined): string | null {
  const origin = textOf(memberOf(memberOf(predicate, 'call'), 'origin'));
  const named = textOf(memberOf(predicate, 'host')); // of a tunnel: without brackets
  return (
    (origin === null ? undefined : URL.parse(origin)?.hostname) ??
    (named?.includes(':') ? `[${named}]` : named)
  );
}

/** Of a decision: its whole chain. Of an entry about one grant: that grant. */
function chainOf(predicate: Json | undefined, grant: Json | undefined): readonly string[] {
  const links = memberOf(grant, 'chain') ?? memberOf(predicate, 'chain');
  const names = Array.isArray(links)
    ? links.map((link: Json) => textOf(memberOf(link, 'jti')))
    : [textOf(memberOf(predicate, 'jti'))];
  return names.filter((name) => name !== null);
}

function memberOf(value: Json | undefined, name: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
