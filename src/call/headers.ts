/** The header section of a request, read once and strictly: every later rule looks at this. */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Header } from './call.ts';

/** Headers by order and by name. Names and values are attacker-controlled, hence a Map. */
export interface HeaderSection {
  /** Lower-case name and value, in the order received. */
  readonly list: readonly Header[];
  /** The values under each lower-case name, in order. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** RFC 9110 §5.6.2 `token`. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: no NUL, CR, LF or other control but tab. Octets as latin1. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const SINGLE = ['host', 'content-length', 'transfer-encoding'] as const;

/** The section of `name, value, …`; `header_invalid` for a name or value that RFC 9110 §5 does not know. */
export function readHeaders(raw: readonly string[]): Outcome<HeaderSection> {
  if (raw.length % 2 !== 0) return deny('header_invalid', 'a name without a value');
  const list: Header[] = [];
  const values = new Map<string, string[]>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (!isHeader(name, value)) return deny('header_invalid', `header ${i / 2}: ${JSON.stringify(name)}`);
    const lower = name.toLowerCase();
    list.push([lower, value]);
    const known = values.get(lower);
    if (known) known.push(value);
    else values.set(lower, [value]);
  }
  return pass({ list, values });
}

/** Whether a name and a value may stand in a header section. */
function isHeader(name: string, value: string): boolean {
  return TOKEN.test(name) && VALUE.test(value);
}

/** RFC 9112 §3.2, §6.3: a second `Host` or framing header is how smuggling starts, even when both say the same. */
export function repeatedHeader({ values }: HeaderSection): Refusal | undefined {
  const twice = SINGLE.find((name) => (values.get(name)?.length ?? 0) > 1);
  return twice && deny('header_duplicate', twice);
}
