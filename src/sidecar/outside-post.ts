/** How those outside are asked who vouch for the log: over HTTP, without redirects, in bounded time and space. */
import { firstBytes } from './first-bytes.ts';

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
