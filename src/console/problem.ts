/** Errors of the admin listener, as problem documents (RFC 9457). */
import { STATUS_CODES } from 'node:http';

/** A response with a problem document. `detail` is our own sentence. */
export function problem(
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
  });
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } });
}
