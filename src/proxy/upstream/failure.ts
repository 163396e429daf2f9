/** How an upstream can fail a permitted call. Not a denial: the agent gets 502, 503 or 504, the log an outcome. */
import { constants } from 'node:http2';

interface Row {
  readonly status: 502 | 503 | 504;
  /** RFC 9209 §2.3 proxy error type. */
  readonly error: string;
  readonly title: string;
}

/** Every failure once; the problem type `urn:writ:upstream:<name>` derives from it. */
export const failures = {
  connect_failed: { status: 502, error: 'connection_refused', title: 'The upstream could not be reached' },
  connect_timeout: {
    status: 504,
    error: 'connection_timeout',
    title: 'The upstream did not accept the connection in time',
  },
  proxy_failed: {
    status: 502,
    error: 'destination_unavailable',
    title: 'The proxy before the upstream did not open a connection',
  },
  tls_failed: {
    status: 502,
    error: 'tls_certificate_error',
    title: 'The upstream’s TLS could not be verified, or it did not accept ours',
  },
  head_timeout: {
    status: 504,
    error: 'http_response_timeout',
    title: 'The upstream did not answer in time',
  },
  body_timeout: {
    status: 504,
    error: 'connection_read_timeout',
    title: 'The upstream fell silent',
  },
  connection_lost: {
    status: 502,
    error: 'connection_terminated',
    title: 'The upstream closed the connection before it answered',
  },
  upstream_busy: {
    status: 503,
    error: 'connection_limit_reached',
    title: 'This agent has too many calls running at the upstream',
  },
  total_timeout: {
    status: 504,
    error: 'http_response_timeout',
    title: 'The upstream did not finish in time',
  },
  response_malformed: {
    status: 502,
    error: 'http_protocol_error',
    title: 'The upstream’s response is not valid HTTP',
  },
} as const satisfies Record<string, Row>;

/** A name of the table. */
export type FailureName = keyof typeof failures;

/** A failure as an error, for the paths where libraries only know errors. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly failure: FailureName;
  /** The error code of the stream that the upstream reset (RFC 9113 §7). */
  readonly reset: number | undefined;

  constructor(failure: FailureName, detail = '', options: ErrorOptions & { readonly reset?: number } = {}) {
    super(detail ? `${failure}: ${detail}` : failure, options);
    this.failure = failure;
    this.reset = options.reset;
  }
}

const BY_CODE: Readonly<Record<string, FailureName>> = {
  UND_ERR_HEADERS_TIMEOUT: 'head_timeout',
  UND_ERR_BODY_TIMEOUT: 'body_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'response_malformed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'response_malformed',
};

/** The failure that an error of undici or of a socket stands for. */
export function failureOf(error: Error): FailureName {
  if (error instanceof UpstreamFailure) return error.failure;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error.name === 'HTTPParserError' || /^bad (?:response|upgrade)$/.test(error.message))
    return 'response_malformed';
  if (code.startsWith('ERR_SSL_')) return 'tls_failed'; // in TLS 1.3 a client certificate is refused after the handshake
  return BY_CODE[code] ?? 'connection_lost';
}

/** What the operator reads of it: the failure's name first, whoever found it. */
export function failureText(error: Error): string {
  return error instanceof UpstreamFailure ? error.message : `${failureOf(error)}: ${error.message}`;
}

/** The upstream's own error code, so that the agent learns as much as if it had called by itself. */
export function resetOf(cause: Error): number {
  const reset = cause instanceof UpstreamFailure ? cause.reset : undefined;
  return reset ?? constants.NGHTTP2_INTERNAL_ERROR;
}
