/** How a case is written down: the bytes of one connection, and what must come of them. */
import type { DenialCode } from '../../src/denial/table.ts';
import type { FailureName } from '../../src/proxy/upstream/failure.ts';

/** The ways in. */
export type Way = 'forward' | 'reverse' | 'tunnel' | 'plain-tunnel' | 'transparent' | 'transparent-tls';

/** A way in, before an origin that speaks HTTP/1.1 or HTTP/2. */
export type CarrierName = Way | `${Way}-to-h2`;

/** The way in, whose answers hold where nothing else is said. */
export function wayOf(carrier: CarrierName): Way {
  return carrier.replace(/-to-h2$/, '') as Way; // what is left of either kind of name
}

/** A call that was let out. */
export interface LetOut {
  /** The body that reached the origin. */
  readonly permit: string;
  /** And what followed it, `name, value, …`. */
  readonly trailers?: readonly string[];
  /**
   * How it ended, where that was not well: what its failure is called, or `cut` in the middle of its reply. `torn`: its
   * upstream failed when all was said; the agent may have it whole or cut.
   */
  readonly then?: FailureName | 'cut' | 'torn';
}

/**
 * One answer: a permitted call whose body reached the origin as given; a denial; a bare status. `broken`: none, and no
 * request reached the origin whole. `garbled`: at most one permitted call, and no word about what followed it.
 */
export type Answer = LetOut | DenialCode | 200 | 400 | 431 | 'broken' | 'garbled';

/** All answers on a connection, in order; null: the case makes no sense there. */
export type Expected = Answer | readonly Answer[] | null;

/** Where another answer is right. */
export interface Elsewhere {
  readonly on?: Readonly<Partial<Record<CarrierName, Expected>>>;
}

/** What is unusual about a case. */
export interface Unusual extends Elsewhere {
  /** Nothing is sent after these bytes. `fin`: and the sending side closes. */
  readonly ending?: 'quiet' | 'fin';
  /** Whether the connection must, or must not, be good for another request. */
  readonly goesOn?: boolean;
  /** It comes to the forward port, where others come through a tunnel. */
  readonly outside?: boolean;
  /** The reply to a HEAD has no body. */
  readonly bodiless?: boolean;
}

/**
 * A case. Its bytes are octets as latin1, in which `{base}` stands for what comes before a path in a request target,
 * `{host}` for the right `Host`, `{port}` for the origin's port, `{grant}` for a good grant.
 */
export type Row = readonly [name: string, bytes: string, expected: Expected, unusual?: Unusual];

/** What all cases have, whatever they send. */
export type Case = readonly [name: string, sent: unknown, expected: Expected, unusual?: Elsewhere];

/** What must come of a case there. */
export function expectedOf([, , usual, { on = {} } = {}]: Case, carrier: CarrierName): Expected {
  const here = on[carrier] === undefined ? on[wayOf(carrier)] : on[carrier];
  return here === undefined ? usual : here;
}

/** A call that passes, without a body. */
export const PERMIT = { permit: '' } as const;

/** The connection ends without a word. */
export const CLOSED = [] as const;

/** A call that passes with this body. */
export function permit(body: string): Answer {
  return { permit: body };
}

/** A request with this target after `{base}`. */
export function request(method: string, target: string, lines: readonly string[], body = ''): string {
  return whole(`${method} {base}${target} HTTP/1.1`, ['Host: {host}', ...lines], body);
}

/** A request line and lines, with the grant behind them; a line may hold whatever it likes. */
export function whole(start: string, lines: readonly string[], body = ''): string {
  return [start, ...lines, 'Writ-Grant: {grant}', '', body].join('\r\n');
}

/** A GET with these lines. */
export function get(...lines: readonly string[]): string {
  return request('GET', '/a', lines);
}

/** A POST with this body, and lines that say how it is framed. */
export function post(body: string, ...lines: readonly string[]): string {
  return request('POST', '/a', lines, body);
}

/** A request that would pass if it was ever taken for one. */
export const SMUGGLED = request('GET', '/smuggled', []);
