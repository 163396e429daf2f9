/** How a case of HTTP/2 is written down: the fields of a head, and what follows it. */
import { block, END_HEADERS, frame, TYPE } from '../proxy/http2-frames.ts';
import type { Elsewhere, Expected } from './row.ts';

/** A case: the fields of its head, with the placeholders of other rows, and what follows on its stream. */
export type Http2Row = readonly [name: string, fields: readonly string[], expected: Expected, rest?: Rest];

/** What follows a head; without it the head ends the stream. */
export interface Rest extends Elsewhere {
  readonly data?: string;
  readonly trailers?: readonly string[];
  /** The head comes in two frames, with these between. */
  readonly between?: readonly Uint8Array[];
  /** Heads of further requests, on streams 3, 5, …, behind it. */
  readonly also?: readonly (readonly string[])[];
  /** Frames of their own, behind everything else. */
  readonly frames?: readonly Uint8Array[];
}

/** A good head without a grant. */
export const BASE: readonly string[] = [
  ':method',
  'GET',
  ':scheme',
  '{scheme}',
  ':authority',
  '{host}',
  ':path',
  '/a',
];
/** And the grant. */
export const GRANT: readonly string[] = ['writ-grant', '{grant}'];

/** The good head with another value for a pseudo-header; undefined: without it. */
export const pseudo = (name: string, value: string | undefined): readonly string[] => {
  const at = BASE.findIndex((text) => text === name);
  return [...(value === undefined ? BASE.toSpliced(at, 2) : BASE.with(at + 1, value)), ...GRANT];
};

/** DATA with these octets. */
export function data(flags: number, text: string, stream = 1): Buffer {
  return frame(TYPE.DATA, flags, { stream, payload: Buffer.from(text, 'latin1') });
}

/** HEADERS with these fields. */
export function head(flags: number, fields: readonly string[], stream = 1): Buffer {
  return frame(TYPE.HEADERS, flags | END_HEADERS, { stream, payload: block(...fields) });
}
