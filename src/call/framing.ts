/** How a body is framed: exactly one unambiguous way, or no call (RFC 9112 §6). */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Framing, RawHead } from './call.ts';
import type { HeaderSection } from './headers.ts';

/** Decimal digits without sign or leading zero. */
const PLAIN_NUMBER = /^(?:0|[1-9][0-9]*)$/;

/** The framing of a section in which each framing header stands at most once. */
export function readFraming(
  section: HeaderSection,
  { version, stream }: Pick<RawHead, 'version' | 'stream'>,
): Outcome<Framing> {
  const [length] = section.values.get('content-length') ?? [];
  const [coding] = section.values.get('transfer-encoding') ?? [];
  const fault =
    twoFramings(length, coding) ??
    strangeCoding(coding, version) ??
    strangeLength(length) ??
    lengthWithoutBody(length, stream);
  if (fault) return fault;
  if (coding !== undefined) return pass({ kind: 'chunked' });
  if (length !== undefined) return pass({ kind: 'length', bytes: Number(length) });
  return pass({ kind: stream && !stream.ended ? 'chunked' : 'none' });
}

/**
 * RFC 9110 §6.5: undici sends no request trailers, and a grant or framing header must not arrive after the body. On
 * HTTP/2 they are looked at when they come.
 */
export function announcedTrailers({ values }: HeaderSection, { stream }: RawHead): Refusal | undefined {
  return values.has('trailer') && !stream ? deny('trailers_unsupported', 'Trailer') : undefined;
}

/** RFC 9112 §6.1: Content-Length beside Transfer-Encoding. */
function twoFramings(length: string | undefined, coding: string | undefined): Refusal | undefined {
  if (length === undefined || coding === undefined) return undefined;
  return deny('framing_invalid', 'Content-Length and Transfer-Encoding');
}

/** RFC 9112 §6.1: any other coding, list or spelling, and any coding at all in HTTP/1.0. */
function strangeCoding(coding: string | undefined, version: string): Refusal | undefined {
  if (coding === undefined || (coding === 'chunked' && version === '1.1')) return undefined;
  return deny('transfer_coding_unsupported', `${JSON.stringify(coding)} in HTTP/${version}`);
}

/** RFC 9113 §8.1.1: a length that the stream's end belies. */
function lengthWithoutBody(length: string | undefined, stream: RawHead['stream']): Refusal | undefined {
  if (!stream?.ended || length === undefined || length === '0') return undefined;
  return deny('content_length_invalid', `${length} bytes of nothing`);
}

/** RFC 9110 §8.6: digits only, in one spelling, and countable exactly. */
function strangeLength(length: string | undefined): Refusal | undefined {
  if (length === undefined) return undefined;
  if (PLAIN_NUMBER.test(length) && Number.isSafeInteger(Number(length))) return undefined;
  return deny('content_length_invalid', JSON.stringify(length));
}
