/** How those outside are asked who vouch for the log: over HTTP, without redirects, in bounded time and space. */

/** What is asked. */
export interface OutsideQuestion {
  readonly url: string;
  /** `Content-Type` of the body. */
  readonly type: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly patienceMs: number;
  /** A longer answer is none. */
  readonly maxBytes: number;
  /** Ends the wait before. */
  readonly until?: AbortSignal;
}

/** An answer (attacker-controlled). */
export interface OutsideAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** POSTs it; undefined where no answer of that length is there in that time. */
export async function postOutside(question: OutsideQuestion): Promise<OutsideAnswer | undefined> {
  const { url, type, body, patienceMs, maxBytes, until } = question;
  try {
    const timeout = AbortSignal.timeout(patienceMs);
    const signal = until ? AbortSignal.any([timeout, until]) : timeout;
    const headers = { 'content-type': type };
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
    const bytes = await firstBytes(response, maxBytes);
    return bytes && { status: response.status, bytes };
  } catch {
    return undefined; // not there, or too slow
  }
}

async function firstBytes(response: Response, limit: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array; // a body's chunks are bytes (Fetch §2.2.4)
    length += bytes.length;
    if (length > limit) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
