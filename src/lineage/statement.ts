/**
 * The statements that the log holds (formats.md §3): in-toto Statements v1 in canonical JSON (RFC 8785). `draft` gives
 * the canonical text around what the writer fills in: the member `entry`, which only it can know, and the subject's
 * digests, which main need not wait for. So each statement is serialised once.
 */
import type { LlmUsage } from '../call/llm-usage.ts';
import type { Json } from '../crypto/json.ts';
import { sha256Hex, sha3Hex } from '../crypto/node.ts';
import type { DenialCode } from '../denial/table.ts';
import { orderedJson } from './canonical.ts';

/** The predicates that exist by now. */
export type PredicateName =
  | 'genesis'
  | 'settings'
  | 'tunnel'
  | 'decision'
  | 'refusal'
  | 'outcome'
  | 'refusals'
  | 'grant'
  | 'policy'
  | 'gap';

/** in-toto digests, lowercase hex. */
export interface Digests {
  readonly sha256: string;
  readonly sha3_512: string;
}

/** One token of a grant as it goes on record. */
export interface GrantLink {
  readonly jti: string;
  /** Thumbprint of the signing key. */
  readonly key: string;
  /** SHA-256 of the JWS signing input, hex. */
  readonly digest: string;
  /** Index of the covering entry; absent where scope was not reached. */
  readonly entry?: number;
  /** Its `max_calls`, where it has one. */
  readonly max?: number;
}

/** `decision:v1`. Members that do not apply are absent; `grant` and `call.content` are null. */
export interface DecisionPredicate {
  readonly verdict: 'permit' | 'deny';
  /** The permit that this denial follows. */
  readonly permit?: number;
  /** SHA-256 of JCS of the 403 body without `receipt` and `proof`. */
  readonly shown?: string;
  /** True: the policy answered. False: it was not reached, or could not decide. */
  readonly evaluated: boolean;
  readonly code?: DenialCode;
  readonly reasons: readonly string[];
  readonly grant: {
    readonly chain: readonly GrantLink[];
    readonly iss: string;
    readonly sub: string;
    readonly expires: number;
    readonly intent?: string;
  } | null;
  readonly call: RecordedCall | UnparsedCall;
  /** The vetted addresses, in order, for a permit. */
  readonly addresses?: readonly string[];
  readonly policy?: {
    readonly revision: string;
    readonly wasm: string;
    readonly data: string;
    readonly entrypoint: string;
  };
  readonly replay?: { readonly input: string; readonly result?: string; readonly now: string };
  /** `seq` of the settings entry that this decision was taken under. */
  readonly settings: number;
  readonly assurance: {
    readonly seen: 'inspected' | 'host-only' | 'opaque';
    readonly tier: 'jailed' | 'cooperative';
    readonly keys?: 'exposed';
  };
  readonly trace?: string;
  /** Only on the transparent port. */
  readonly redirected?: Redirected;
}

/** What a connection without a proxy's request says of where it was to go. */
export interface Redirected {
  /** From its ClientHello, where it was refused before its first request. */
  readonly name?: string;
  /** Its destination before it was redirected, `address:port`; `unknown` where the system does not tell. */
  readonly original: string;
}

/** A call that was parsed. */
export interface RecordedCall {
  readonly method: string;
  /** What the connection is to become. */
  readonly upgrade?: 'websocket';
  readonly origin: string;
  readonly path: string;
  /** SHA-256 over salt ‖ query octets, hex; absent without a query. */
  readonly query?: string;
  /** SHA-256 over salt ‖ JCS of the forwarded headers, hex. */
  readonly headers: string;
  /** Only where the body was bound and buffered. */
  readonly content: (Digests & { readonly length: number }) | null;
}

/** A call whose target could not be read. */
export interface UnparsedCall {
  readonly method: string;
  /** SHA-256 over salt ‖ target octets, hex. */
  readonly target: string;
}

/** A predicate on its way to `draft`, which leaves out what is undefined. */
export type Members<P> = { readonly [Name in keyof P]: P[Name] | undefined };

/** `outcome:v1`: closes one permit. */
export interface OutcomePredicate {
  /** `seq` of the permit. */
  readonly permit: number;
  /** `address:port` that was dialled; absent where none was. */
  readonly dialled?: string;
  /** Upstream's status; absent where no response head came. */
  readonly status?: number;
  /** What a gRPC call ended with: absent where the upstream did not say so once and in digits, and for any other call. */
  readonly grpc_status?: number;
  readonly request: Streamed;
  readonly response: Streamed;
  readonly duration_ms: number;
  readonly ended: 'complete' | 'client-abort' | 'upstream-error' | 'cut';
  /** What cut it. */
  readonly by?: DenialCode;
  /** What a language model's answer says it cost; absent for any other call. */
  readonly usage?: LlmUsage;
}

/** What streamed in one direction. */
export interface Streamed extends Digests {
  readonly bytes: number;
  /** Over JCS of the trailers that were passed on, `[[lower-case name, value], …]` in their order; absent without any. */
  readonly trailers?: Digests;
}

/** Canonical text but for `entry` and the subject's digests, ready for `Lineage.append`. */
export interface Draft {
  /** Up to the value of `entry`. */
  readonly before: string;
  /** From there to the subject's digests. */
  readonly between: string;
  /** From there to the end. */
  readonly after: string;
  /** What the digests are over. */
  readonly subject: string;
}

/** The member that only the writer fills. */
export interface EntryPosition {
  /** RFC 3339 UTC with milliseconds. */
  readonly at: string;
  readonly origin: string;
  /** BLAKE2b-512 of entry seq−1, hex; zeros for entry 0. */
  readonly prev: string;
  readonly seq: number;
}

/**
 * The canonical text around the `entry` member of one statement. `id` is the UUID of the call, or a fresh one for
 * entries without a call. The subject's digest is over JCS of `call`, or else of the predicate itself. Throws where the
 * predicate is not canonical JSON (a fault of the program). Cheapest where its members stand in order.
 */
export function draft(name: PredicateName, id: string, predicate: object): Draft {
  const { before, after, subject } = readPredicate(predicate);
  return {
    before: `${HEAD}{${before}${before && ','}"entry":`,
    between: `${after && ','}${after}}${typeText(name)}`,
    after: endText(id),
    subject,
  };
}

/** The entry of a draft. */
export function entryTexts(
  { before, between, after, subject }: Draft,
  position: EntryPosition,
): readonly string[] {
  return [before, positionText(position), between, digestsText(subject), after];
}

/** The one canonical text of a statement without position: `refusal:v1`, which is signed and never logged. */
export function refusalText(id: string, predicate: object): string {
  const { before, after, subject } = readPredicate(predicate);
  return `${HEAD}{${join(before, after)}}${typeText('refusal')}${digestsText(subject)}${endText(id)}`;
}

/** `{"at":…,"origin":…,"prev":…,"seq":…}`, canonical. */
export function positionText(position: EntryPosition): string {
  const { at, origin, prev, seq } = position;
  return `{"at":"${at}","origin":${JSON.stringify(origin)},"prev":"${prev}","seq":${seq}}`;
}

const HEAD = '{"_type":"https://in-toto.io/Statement/v1","predicate":';

/** A predicate's members as canonical text on either side of `entry`, and what the subject is over. */
interface PredicateText {
  readonly before: string;
  readonly after: string;
  readonly subject: string;
}

function readPredicate(predicate: object): PredicateText {
  const members = predicate as Readonly<Record<string, Json | undefined>>; // orderedJson checks each value
  let before = '';
  let after = '';
  let call: string | undefined;
  for (const name of sortedNames(members)) {
    const value = members[name];
    if (value === undefined) continue;
    if (name === 'entry') throw new TypeError('only the writer fills `entry`');
    const text = orderedJson(value);
    if (name === 'call') call = text;
    const member = `${JSON.stringify(name)}:${text}`;
    if (name < 'entry') before = join(before, member);
    else after = join(after, member);
  }
  return { before, after, subject: call ?? `{${join(before, after)}}` };
}

/** Sorting is dear, and literals are written in order. */
function sortedNames(members: object): readonly string[] {
  const names = Object.keys(members);
  return names.every((name, i) => i === 0 || name > (names[i - 1] ?? '')) ? names : names.sort();
}

function join(first: string, second: string): string {
  return first && second ? `${first},${second}` : first || second;
}

/** What follows the predicate, up to the digests. */
function typeText(name: PredicateName): string {
  return `,"predicateType":"urn:writ:${name}:v1","subject":[{"digest":`;
}

function digestsText(subject: string): string {
  return `{"sha256":"${sha256Hex(subject)}","sha3_512":"${sha3Hex(subject)}"}`;
}

/** What follows them. */
function endText(id: string): string {
  return `,"name":"urn:uuid:${id}"}]}`;
}
