/** The method, and the headers by which some frameworks let a client smuggle in another one. */
import { METHOD_OVERRIDES } from '../config/method-overrides.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { HeaderSection } from './headers.ts';

/** A token of RFC 9110 §9.1, narrowed to capitals: `get` is another method than GET, and some upstreams disagree. */
const METHOD = /^[A-Z][A-Z-]{0,31}$/;

/** `UPGRADE` is an action of grants (formats.md §2), `PRI` the HTTP/2 preface (RFC 9113 §3.4): neither is a method. */
const NOT_METHODS: ReadonlySet<string> = new Set(['UPGRADE', 'PRI']);

const METHOD_HEADERS: ReadonlySet<string> = new Set(METHOD_OVERRIDES);
const URL_HEADERS: ReadonlySet<string> = new Set(['x-original-url', 'x-rewrite-url']);

/** Whether a text may be a method. */
export function isMethod(text: string): boolean {
  return METHOD.test(text) && !NOT_METHODS.has(text);
}

/** RFC 9110 §9.1: the method of a head. */
export function strangeMethod(method: string): Refusal | undefined {
  return isMethod(method) ? undefined : deny('method_invalid', JSON.stringify(method));
}

/** Whether a lower-case header name overrides method or URL. */
export function isOverride(name: string): boolean {
  return METHOD_HEADERS.has(name) || URL_HEADERS.has(name);
}

/** Whether a route may let this lower-case header name through: a URL override never, it would make `path` a lie. */
export function isMethodOverride(name: string): boolean {
  return METHOD_HEADERS.has(name);
}

/** The method an allowed override asks for, undefined without one (threats.md §2). */
export function readOverride(
  { list }: HeaderSection,
  allowed: readonly string[],
): Outcome<string | undefined> {
  const found = list.filter(([name]) => isOverride(name));
  const [first] = found;
  if (!first) return pass(undefined);
  const [name, method] = first;
  if (found.length > 1 || !isMethodOverride(name) || !allowed.includes(name) || !isMethod(method))
    return deny('method_override', found.map(([each]) => each).join(', '));
  return pass(method);
}
