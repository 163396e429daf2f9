/** Credentials never enter a digest, a policy input or the log: only that they are there, and their scheme. */
import type { Header } from './call.ts';

/** IANA's HTTP authentication schemes and the two in common use beside them. */
const SCHEMES = new Set(
  'aws4-hmac-sha256 basic bearer digest dpop gnap hoba mutual negotiate oauth privatetoken scram-sha-1 scram-sha-256 token vapid'.split(
    ' ',
  ),
);

const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'writ-grant']);

/**
 * The headers with each secret value replaced by its scheme in lower case. A value without a scheme that we know reads
 * `other`, since its first word may be the secret itself.
 */
export function withoutSecrets(headers: readonly Header[]): readonly Header[] {
  return headers.map((header) => (SECRET.has(header[0]) ? [header[0], schemeOf(header[1])] : header));
}

function schemeOf(value: string): string {
  const [word, rest] = value.split(' ', 2);
  const scheme = (word ?? '').toLowerCase();
  return rest !== undefined && SCHEMES.has(scheme) ? scheme : 'other';
}
