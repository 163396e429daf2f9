/** Bytes that the HTTP parser could not read: a bare status, and the end of the connection. */
import type { Duplex } from 'node:stream';
import type { Pipeline } from './pipeline.ts';

/** What was answered, for the aggregate on record. */
export interface Malformed {
  readonly status: 400 | 408 | 431;
  /** The parser's error code. */
  readonly why: string;
}

const REASONS = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
} as const;

/** A head that was not whole by its deadline, as node:http says it. */
export class HeadTimeout extends Error {
  readonly code = 'ERR_HTTP_REQUEST_TIMEOUT';
}

/**
 * Answers and closes. While calls run on the connection nothing is said, since it would become part of a reply of
 * theirs. Undefined where the connection was lost rather than misused.
 */
export function answerMalformed(
  error: Error,
  socket: Duplex,
  calls: Pipeline | undefined,
): Malformed | undefined {
  const why = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  if (why === 'ECONNRESET' || why === 'EPIPE' || why === 'HPE_INVALID_EOF_STATE' || !socket.writable) {
    socket.destroy();
    return undefined;
  }
  const status = statusOf(why);
  if (calls?.busy) {
    calls.breakOff();
    socket.once('end', () => socket.destroy()); // node:http would not tell of it any more
  } else
    socket.end(
      `HTTP/1.1 ${status} ${REASONS[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      () => socket.destroy(),
    );
  return { status, why };
}

function statusOf(why: string): Malformed['status'] {
  if (why === 'HPE_HEADER_OVERFLOW') return 431;
  return why === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}
