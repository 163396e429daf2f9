/** The claims of a root grant (formats.md §2): each rule one line. Runs only after the signature verified. */
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { readEntries } from './entry.ts';
import type { RootClaims } from './grant.ts';

/** The claims, and which features of later versions a token asks for. */
export interface ReadClaims {
  readonly root: RootClaims;
  /** `del_depth`, `del_max_depth` or `par_hash`. */
  readonly delegated: boolean;
  /** `env`. */
  readonly environment: boolean;
  /** `cnf`. */
  readonly possession: boolean;
}

type Rule = (claims: JsonObject) => string | false;

const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]{1,255}$/; // RFC 3986 §3.1
const PLAIN = /^[\x21-\x7e]{1,256}$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/; // RFC 9562 §5.7
const HEX_SHA256 = /^[0-9a-f]{64}$/;
const MAX_CLAIMS = 16;
const MAX_CLAIMS_OCTETS = 1024;
const MAX_INTENT = 1024;

const KNOWN: ReadonlySet<string> = new Set(
  'iss sub aud jti iat nbf exp authorization_details claims intent policy cnf env del_depth del_max_depth par_hash'.split(
    ' ',
  ),
);

const isTime = (value: Json | undefined): value is number => typeof value === 'number' && value >= 0;
const matches = (value: Json | undefined, pattern: RegExp): boolean =>
  typeof value === 'string' && pattern.test(value);

/** In the order of the table in formats.md §2. Numbers are safe integers already: the JSON gate lets no others pass. */
const rules: readonly Rule[] = [
  (claims) => !matches(claims.iss, URI) && 'iss is not a URI',
  ({ sub }) => !matches(sub, PLAIN) && 'sub is not 1 to 256 visible characters',
  ({ aud }) => !matches(aud, PLAIN) && 'aud is not one string',
  ({ jti }) => !matches(jti, UUID_V7) && 'jti is not a lower-case UUIDv7',
  ({ iat }) => !isTime(iat) && 'iat is not a time in seconds',
  ({ nbf }) => nbf !== undefined && !isTime(nbf) && 'nbf is not a time in seconds',
  ({ exp }) => !isTime(exp) && 'exp is not a time in seconds',
  ({ iat, exp }) => Number(exp) <= Number(iat) && 'exp is not after iat',
  ({ nbf = 0, exp }) => Number(exp) <= Number(nbf) && 'exp is not after nbf',
  ({ claims }) => claims !== undefined && !areFacts(claims) && 'claims are not at most 16 strings in 1 KiB',
  ({ intent }) =>
    intent !== undefined && !isIntent(intent) && 'intent is not a string of at most 1024 characters',
  ({ policy }) => policy !== undefined && !isBundle(policy) && 'policy is not {"sha256": hex}',
  (claims) => Object.keys(claims).find((name) => !KNOWN.has(name)) !== undefined && 'an unknown claim',
];

/** The claims of a payload whose signature verified; `grant_claims_invalid` for the first rule it breaks. */
export function readClaims(payload: JsonObject): Outcome<ReadClaims> {
  for (const rule of rules) {
    const fault = rule(payload);
    if (fault !== false) return deny('grant_claims_invalid', fault);
  }
  const scope = readEntries(payload.authorization_details);
  if (!scope.ok) return scope;
  const { iss, sub, aud, jti, iat, nbf, exp, claims, intent, policy } = payload;
  const root = {
    ...{ iss, sub, aud, jti, iat, exp, scope: scope.value, claims: claims ?? {} },
    ...(nbf !== undefined && { nbf }),
    ...(intent !== undefined && { intent }),
    ...(isJsonObject(policy) && { policy: policy.sha256 }),
  } as RootClaims; // every member was checked by a rule above
  return pass({
    root,
    delegated: ['del_depth', 'del_max_depth', 'par_hash'].some((name) => payload[name] !== undefined),
    environment: payload.env !== undefined,
    possession: payload.cnf !== undefined,
  });
}

/** Whether the facts that an authority vouches for are few, short and strings. */
function areFacts(claims: Json): boolean {
  return (
    isJsonObject(claims) &&
    Object.keys(claims).length <= MAX_CLAIMS &&
    Object.values(claims).every((fact) => typeof fact === 'string') &&
    Buffer.byteLength(JSON.stringify(claims)) <= MAX_CLAIMS_OCTETS
  );
}

/** Characters are code points, as everywhere but in JavaScript. */
function isIntent(intent: Json): boolean {
  return typeof intent === 'string' && (intent.length <= MAX_INTENT || [...intent].length <= MAX_INTENT);
}

function isBundle(policy: Json): boolean {
  return isJsonObject(policy) && Object.keys(policy).length === 1 && matches(policy.sha256, HEX_SHA256);
}
