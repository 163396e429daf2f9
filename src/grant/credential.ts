/** From a header's text to the text of a token (design.md §5). All of it is attacker-controlled. */
import type { Credential } from '../call/call.ts';
import { fromBase64 } from '../crypto/base64.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';

/** Basic makes four characters of three: room for the largest chain (10 KiB, formats.md §2) either way. */
const MAX_CREDENTIAL = 14 * 1024;

/** The token, or tokens with commas, that a credential carries. */
export function readCredential({ from, text }: Credential): Outcome<string> {
  if (text.length > MAX_CREDENTIAL) return deny('grant_too_large', `${text.length} characters`);
  if (from === 'writ-grant') return pass(text);
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S+)$/.exec(text) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer': // RFC 6750 §2.1
      return pass(value);
    case 'basic':
      return readBasic(value);
    default:
      return deny('grant_malformed', 'Proxy-Authorization is neither Bearer nor Basic');
  }
}

/** RFC 7617: user `grant`, and the token as password. */
function readBasic(value: string): Outcome<string> {
  const bytes = fromBase64(value);
  const pair = bytes && decodeUtf8(bytes);
  if (!pair?.startsWith('grant:')) return deny('grant_malformed', 'Basic without user grant');
  return pass(pair.slice('grant:'.length));
}
