/** `authorization_details` (RFC 9396 §2), type `writ_http`: what one entry of a grant's scope may say (formats.md §2). */
import { parseOrigin } from '../call/host.ts';
import { isMethod } from '../call/method.ts';
import { readPath } from '../call/path.ts';
import { isJsonObject } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { ScopeEntry } from './grant.ts';

/** Far more than a grant needs, so that covering a call stays cheap. */
const MAX_ENTRIES = 64;

type Read = (value: Json) => Json | undefined;

/** How a member is read, `undefined` being a fault, and what it has to be, for whoever wrote another thing. */
type Member = readonly [read: Read, expected: string];

/** A member that is not here refuses the grant. */
const members: ReadonlyMap<string, Member> = new Map(
  Object.entries<Member>({
    type: [(value) => (value === 'writ_http' ? value : undefined), 'it is writ_http'],
    locations: [
      listOf(readLocation),
      'each is an origin such as https://api.example.com: scheme, host in small letters, no path, no default port',
    ],
    actions: [
      listOf((value) => (isAction(value) ? value : undefined)),
      'each is a method such as GET or POST',
    ],
    paths: [
      listOf(readPattern),
      'each starts with /, and * stands for a whole segment, ** for all that follow: /repos/*/issues, /repos/**',
    ],
    max_calls: wholeFrom(1),
    max_request_bytes: wholeFrom(0),
    max_response_bytes: wholeFrom(1),
    max_seconds: wholeFrom(1),
    content_sha256: [
      (value) => (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : undefined),
      'it is 64 hexadecimal digits, in small letters',
    ],
    mcp_tools: [
      listOf((value) => (typeof value === 'string' && value !== '' ? value : undefined)),
      'each is the name of a tool',
    ],
  }),
);

const REQUIRED = ['type', 'locations', 'actions'];

/** The entries of a grant, at least one; `grant_claims_invalid` for anything that is not exactly that. */
export function readEntries(details: Json | undefined): Outcome<readonly ScopeEntry[]> {
  if (!Array.isArray(details) || details.length === 0 || details.length > MAX_ENTRIES)
    return deny('grant_claims_invalid', `authorization_details is not a list of 1 to ${MAX_ENTRIES}`);
  const entries: ScopeEntry[] = [];
  for (const [index, detail] of details.entries()) {
    const entry = readEntry(detail);
    if (!entry.ok) return deny(entry.code, `authorization_details[${index}]: ${entry.detail}`);
    entries.push(entry.value);
  }
  return pass(entries);
}

function readEntry(detail: Json): Outcome<ScopeEntry> {
  if (!isJsonObject(detail)) return deny('grant_claims_invalid', 'not an object');
  const missing = REQUIRED.find((name) => detail[name] === undefined);
  if (missing !== undefined) return deny('grant_claims_invalid', `without ${missing}`);
  const entry: Record<string, Json> = {};
  for (const [name, value] of Object.entries(detail)) {
    const [read, expected] = members.get(name) ?? [];
    const item = read?.(value);
    if (item === undefined)
      return deny(
        'grant_claims_invalid',
        `${name} is not valid: ${expected ?? 'an entry has no such member'}`,
      );
    if (name !== 'type') entry[name] = item;
  }
  return pass(entry as unknown as ScopeEntry); // each member went through its reader
}

/** A WHATWG origin as written by itself; `ws:` and `wss:` are other names of `http:` and `https:`. */
function readLocation(value: Json): Json | undefined {
  if (typeof value !== 'string') return undefined;
  return parseOrigin(value.replace(/^ws(?=s?:)/, 'http'))?.origin;
}

function isAction(value: Json): value is string {
  return typeof value === 'string' && (value === 'UPGRADE' || isMethod(value));
}

/**
 * A path pattern, under the rules for paths, so that it can match at all. `*` stands for a whole segment and `**` for
 * the rest; a star anywhere else, encoded or not, would be misread and is a fault.
 */
function readPattern(value: Json): Json | undefined {
  if (typeof value !== 'string' || /%2a/i.test(value)) return undefined;
  const segments = readPath(value, { encoded_slash: 'segment' });
  if (!segments.ok) return undefined;
  const last = segments.value.length - 1;
  const isPlain = (segment: string, at: number): boolean =>
    !segment.includes('*') || segment === '*' || (segment === '**' && at === last);
  return segments.value.every(isPlain) ? segments.value : undefined;
}

function listOf(read: Read): Read {
  return (value) => {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    const list = value.map(read);
    return list.every((item) => item !== undefined) ? list : undefined;
  };
}

function wholeFrom(least: number): Member {
  return [
    (value) => (typeof value === 'number' && value >= least ? value : undefined),
    `it is a whole number, at least ${least}`,
  ];
}
