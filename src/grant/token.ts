/** Compact JWS (RFC 7515 §7.1) in exactly one spelling, under the profile of formats.md §2. Nothing in it is believed yet. */
import { decodeUtf8 } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { JsonObject } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';

/** A token whose shape is right; its signature is not checked. */
export interface Token {
  /** Thumbprint of the key it claims, where it names one. */
  readonly kid: string | undefined;
  readonly payload: JsonObject;
  /** `header.payload`, ASCII (RFC 7515 §5.2). */
  readonly signingInput: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

const MAX_TOKEN = 8 * 1024;
const MAX_CHAIN = 10 * 1024;
const MAX_DEPTH = 8;
const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})$/;

/** The tokens of a credential, root first, separated by commas as a list header is (RFC 9110 §5.6.1). All sizes come first. */
export function parseTokens(text: string): Outcome<readonly [Token, ...Token[]]> {
  const parts = text.split(',');
  const [first = '', ...rest] = parts.length > 1 ? parts.map((part) => part.trim()) : parts;
  if (text.length > MAX_CHAIN || parts.length > MAX_DEPTH)
    return deny('grant_too_large', `${text.length} characters, ${parts.length} tokens`);
  const large = rest.find((part) => part.length > MAX_TOKEN);
  const root = large === undefined ? parseToken(first) : tooLarge(large);
  if (!root.ok) return root;
  const tokens: [Token, ...Token[]] = [root.value];
  for (const part of rest) {
    const token = parseToken(part);
    if (!token.ok) return token;
    tokens.push(token.value);
  }
  return pass(tokens);
}

/** The token of a compact JWS: `grant_too_large` over 8 KiB, `grant_malformed` for every other fault. */
export function parseToken(text: string): Outcome<Token> {
  if (text.length > MAX_TOKEN) return tooLarge(text);
  const [, head = '', body = '', seal = ''] = SHAPE.exec(text) ?? [];
  const header = decodeObject(head);
  const payload = decodeObject(body);
  const signature = decodePart(seal);
  if (!header || !payload || !signature) return deny('grant_malformed', 'not a compact JWS of JSON objects');
  if (!isGrantHeader(header)) return deny('grant_malformed', 'not the header of a grant');
  const kid = typeof header.kid === 'string' ? header.kid : undefined;
  return pass({ kid, payload, signingInput: `${head}.${body}`, signature });
}

function tooLarge(text: string): Refusal {
  return deny('grant_too_large', `a token of ${text.length} characters`);
}

/** RFC 8725 §3.1, §3.11: these members and no others, so no `crit`, `jwk`, `x5c`, `zip` can mean anything. */
function isGrantHeader({ alg, typ, kid, ...rest }: JsonObject): boolean {
  return (
    (alg === 'EdDSA' || alg === 'Ed25519') &&
    typ === 'writ-grant+jwt' &&
    (kid === undefined || typeof kid === 'string') &&
    Object.keys(rest).length === 0
  );
}

function decodeObject(part: string): JsonObject | undefined {
  const bytes = decodePart(part);
  const text = bytes && decodeUtf8(bytes);
  const value = text === undefined ? undefined : parseStrictJson(text);
  return isJsonObject(value) ? value : undefined;
}

/** Node's decoder takes any junk, so what it made must encode to what it was given. Ten times faster than ours. */
function decodePart(part: string): Uint8Array | undefined {
  const bytes = Buffer.from(part, 'base64url');
  return part !== '' && bytes.toString('base64url') === part ? bytes : undefined;
}
