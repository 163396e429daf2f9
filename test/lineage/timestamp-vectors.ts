/** `test/vectors/timestamps.json`: answers that were once made, and must be judged the same for ever, in Node and in browsers. */
import { readFileSync } from 'node:fs';
import { certificatesIn } from '../../src/lineage/timestamp/certificate.ts';
import { verifyTimestamp } from '../../src/lineage/timestamp/timestamp.ts';

/** One answer. Bytes are base64. */
export interface StampVector {
  readonly name: string;
  readonly response: string;
  readonly data: string;
  readonly nonce: string;
  /** PEM. */
  readonly roots: string;
  readonly code: string;
}

/** Where they are. */
export const VECTORS = new URL('../vectors/timestamps.json', import.meta.url);

/** All of them. */
export function readVectors(): readonly StampVector[] {
  return JSON.parse(readFileSync(VECTORS, 'utf8')) as readonly StampVector[]; // our own file
}

/** What is said of one: a code, or `good`. */
export async function judgeVector({ response, data, nonce, roots }: StampVector): Promise<string> {
  const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
  const claim = { data: bytes(data), roots: certificatesIn(roots) ?? [], nonce: bytes(nonce) };
  const found = await verifyTimestamp(bytes(response), claim);
  return found.ok ? 'good' : found.code;
}
