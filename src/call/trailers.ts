/** Fields after a body (RFC 9110 §6.5): on record only after the call, so only what cannot change it passes. */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Header } from './call.ts';
import { isCleaned } from './forwarded-headers.ts';
import { readHeaders } from './headers.ts';
import { isOverride } from './method.ts';

const MAX_FIELDS = 32;
const MAX_OCTETS = 8 * 1024;

/** RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, content description, response control. */
const FORBIDDEN: ReadonlySet<string> = new Set(
  (
    'accept accept-charset accept-encoding accept-language age alt-svc authorization cache-control cookie date expires ' +
    'host if-match if-modified-since if-none-match if-range if-unmodified-since location max-forwards origin pragma ' +
    'proxy-status range referer retry-after set-cookie signature signature-input user-agent vary warning www-authenticate'
  ).split(' '),
);

/** The trailers of a request, all of them fit to be forwarded; `trailers_unsupported` where one is not. */
export function readTrailers(raw: readonly string[]): Outcome<readonly Header[]> {
  if (raw.length > 2 * MAX_FIELDS || raw.join('').length > MAX_OCTETS)
    return deny('trailers_unsupported', 'too many trailers');
  const section = readHeaders(raw);
  if (!section.ok) return deny('trailers_unsupported', section.detail);
  const stray = section.value.list.find(([name]) => !mayTrail(name));
  return stray ? deny('trailers_unsupported', `${stray[0]} after the body`) : pass(section.value.list);
}

/** The trailers of a response that may reach the agent; attacker-controlled, so what is unfit is left out. */
export function cleanTrailers(raw: readonly string[]): readonly Header[] {
  if (raw.length > 2 * MAX_FIELDS || raw.join('').length > MAX_OCTETS) return [];
  const section = readHeaders(raw);
  return section.ok ? section.value.list.filter(([name]) => mayTrail(name)) : [];
}

/** The lower-case names that `Trailer` headers announce and that may follow (RFC 9110 §6.6.2). */
export function announcedNames(values: readonly string[] = []): ReadonlySet<string> {
  const names = values.flatMap((value) => value.split(',').map((name) => name.trim().toLowerCase()));
  return new Set(names.filter((name) => TOKEN.test(name) && mayTrail(name)).slice(0, MAX_FIELDS));
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** An underscore twin counts as what it imitates. */
function mayTrail(name: string): boolean {
  const meant = name.replaceAll('_', '-');
  return !FORBIDDEN.has(meant) && !isCleaned(meant) && !isOverride(meant) && !meant.startsWith('content-');
}
