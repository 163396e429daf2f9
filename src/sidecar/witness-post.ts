/** How witnesses are reached: over HTTP, in bounded time and space. */
import type { Post } from '../lineage/witness-client.ts';

const PATIENCE_MS = 5000;
/** A cosignature is a line. */
const MAX_ANSWER = 16_384;

/** POSTs to a witness; undefined where it does not answer in time, or with more than a witness has to say. */
export const postToWitness: Post = async (url, body) => {
  try {
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
    const text = await firstText(response);
    return text === undefined ? undefined : { status: response.status, text };
  } catch {
    return undefined; // not there, or too slow
  }
};

async function firstText(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array; // a body's chunks are bytes (Fetch §2.2.4)
    length += bytes.length;
    if (length > MAX_ANSWER) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString();
}
