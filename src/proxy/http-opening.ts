/** Whether a connection in the clear begins as HTTP/1 does (RFC 9112 §3): a method, and a space behind it. */

/** What bytes that are no TLS are. */
export type Opening = { readonly is: 'partial' } | { readonly is: 'http' } | { readonly is: 'strange' };

/** RFC 9110 §9.1: a token. The longest that is registered has 17 octets. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}([^]?)/;

/** Reads the first bytes; whether the rest is HTTP as well, its parser says. */
export function readOpening(bytes: Uint8Array): Opening {
  const [, next] = METHOD.exec(Buffer.from(bytes.subarray(0, 25)).toString('latin1')) ?? [];
  if (next === ' ') return { is: 'http' };
  return { is: next === '' ? 'partial' : 'strange' };
}
