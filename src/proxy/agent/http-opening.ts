/** How a connection in the clear begins: as HTTP/2 with prior knowledge (RFC 9113 §3.3), or as HTTP/1 does (RFC 9112 §3). */

/** What bytes that are no TLS are. */
export interface Opening {
  readonly is: 'http' | 'http2' | 'strange';
}

/** RFC 9113 §3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** RFC 9110 §9.1: a token. The longest that is registered has 17 octets. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}([^]?)/;

/** Whether the first bytes are the whole preface of HTTP/2; undefined while they may become it. */
export function prefaceIn(
  bytes: Uint8Array,
): { readonly is: 'http2' } | { readonly is: 'other' } | undefined {
  const length = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, length, 0, length) !== 0) return { is: 'other' };
  return length < PREFACE.length ? undefined : { is: 'http2' };
}

/**
 * Reads the first bytes; undefined where they are too few to tell. HTTP/1 is a method, and a space behind it: whether the
 * rest is HTTP as well, its parser says.
 */
export function readOpening(bytes: Uint8Array): Opening | undefined {
  const preface = prefaceIn(bytes);
  if (preface?.is !== 'other') return preface;
  const [, next] = METHOD.exec(Buffer.from(bytes.subarray(0, 25)).toString('latin1')) ?? [];
  if (next === '') return undefined;
  return { is: next === ' ' ? 'http' : 'strange' };
}
