/**
 * The path, refused wherever two readers could disagree about it (RFC 3986 §3.3, §6.2.2). What passes is forwarded
 * octet by octet, and its segments, decoded once, are what grants and policies compare.
 */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';

type Rule = (path: string) => Refusal | undefined;

/** What a route or origin may loosen. */
export interface PathRules {
  /** `segment`: `%2f` stays inside its segment. */
  readonly encoded_slash?: 'reject' | 'segment' | undefined;
}

/** The segments of a path that starts with `/`. */
export function readPath(path: string, rules: PathRules = {}): Outcome<readonly string[]> {
  for (const rule of rules.encoded_slash === 'segment' ? lenientRules : strictRules) {
    const fault = rule(path);
    if (fault) return fault;
  }
  return decodeSegments(path.slice(1).split('/'));
}

/** RFC 3986 §3.3: `pchar` and `/`. */
const strayByte: Rule = (path) =>
  /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*$/.test(path) ? undefined : deny('path_bytes', 'outside pchar');

/** RFC 3986 §2.1: `%` and two hex digits. */
const brokenEncoding: Rule = (path) =>
  /%(?![0-9A-Fa-f]{2})/.test(path) ? deny('path_bytes', 'a stray %') : undefined;

/** NUL ends strings, and a backslash is a slash, in some upstreams. */
const encodedNulOrBackslash: Rule = (path) =>
  /%00|%5c/i.test(path) ? deny('path_bytes', '%00 or %5c') : undefined;

/** RFC 3986 §2.2: `%2f` and `/` are not equivalent, except to those who decode first. */
const encodedSlashes: Rule = (path) => (/%2f/i.test(path) ? deny('path_encoded_slash', '%2f') : undefined);

/** RFC 3986 §5.2.4, in any encoding, after an encoded slash, and before a `;` (`..;/` is `../` to servlets). */
const dotSegment: Rule = (path) =>
  /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|;|%3b|$)/i.test(path) ? deny('path_dot_segment', 'dots') : undefined;

/** `//` is one slash to some, and a network-path reference to others (RFC 3986 §4.2). */
const emptySegment: Rule = (path) =>
  /(?:\/|%2f)(?:\/|%2f)/i.test(path) ? deny('path_empty_segment', 'a double slash') : undefined;

/** What a second decoding would change. */
const encodedTwice: Rule = (path) =>
  /%25[0-9A-Fa-f]{2}/.test(path) ? deny('path_ambiguous', '%25 before two hex digits') : undefined;

/** RFC 3986 §2.3: an encoded unreserved character has an equivalent plain spelling. */
const encodedUnreserved: Rule = (path) =>
  /%(?:2[de]|3[0-9]|[46][1-9a-f]|5[0-9af]|7[0-9ae])/i.test(path)
    ? deny('path_ambiguous', 'an encoded unreserved character')
    : undefined;

const strictRules: readonly Rule[] = [
  strayByte,
  brokenEncoding,
  encodedNulOrBackslash,
  encodedSlashes,
  dotSegment,
  emptySegment,
  encodedTwice,
  encodedUnreserved,
];
const lenientRules = strictRules.filter((rule) => rule !== encodedSlashes);

function decodeSegments(segments: readonly string[]): Outcome<readonly string[]> {
  try {
    return pass(segments.map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment)));
  } catch {
    return deny('path_bytes', 'not UTF-8'); // RFC 3629: overlong forms and surrogates too
  }
}
