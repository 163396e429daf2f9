/** The checks of a grant in the order of formats.md §2, from least to most trusted; each has its own code. */
import { LRUCache } from 'lru-cache';
import type { Credential } from '../call/call.ts';
import { encodeUtf8 } from '../crypto/bytes.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { Suite } from '../crypto/suite.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Authorities } from './authorities.ts';
import { readClaims } from './claims.ts';
import type { ReadClaims } from './claims.ts';
import { readCredential } from './credential.ts';
import type { Grant, RootClaims } from './grant.ts';
import { parseTokens } from './token.ts';

/** What grants are verified against. */
export interface GrantRules {
  readonly suite: Suite;
  readonly authorities: Authorities;
  /** The `aud` that this sidecar answers to. */
  readonly audience: string;
  /** The log's origin: grants with `max_calls` must name it, since the log is what counts. Absent: the audience. */
  readonly origin?: string;
  readonly maxLifetimeSeconds: number;
  /** How far an issuer's clock may be ahead. */
  readonly clockSkewSeconds: number;
}

/** A grant, or a refusal that knows the grant once every signature verified and its claims were read. */
export type Verified = { readonly ok: true; readonly value: Grant } | (Refusal & { readonly known?: Grant });

/** A grant that a trusted authority signed; whether it is good here and now is still open. */
interface Authentic extends ReadClaims {
  readonly grant: Grant;
}

const REMEMBERED = 4096;

/**
 * Verifies grants. Remembers which were authentic by the SHA-256 of their exact text, signature included (else any
 * signature under a known payload would do), until the list of authorities is loaded anew. All else is checked anew.
 */
export class GrantVerifier {
  readonly #rules: GrantRules;
  readonly #authentic = new LRUCache<string, Authentic>({ max: REMEMBERED });
  #generation: number;

  constructor(rules: GrantRules) {
    this.#rules = rules;
    this.#generation = rules.authorities.generation;
  }

  /** The grant of a credential at `now` (milliseconds since 1970) under the active bundle's digest. Never throws. */
  verify(credential: Credential | undefined, now: number, activePolicyDigest: string | undefined): Verified {
    const { fault: unreadable } = this.#rules.authorities;
    if (unreadable !== undefined) return deny('authorities_unreadable', unreadable);
    if (!credential) return deny('grant_missing', 'no grant header');
    const text = readCredential(credential);
    if (!text.ok) return text;
    const authentic = this.#recall(text.value);
    if (!authentic.ok) return authentic;
    const { grant } = authentic.value;
    const fault =
      delegated(authentic.value) ??
      this.#wrongAudience(grant.root) ??
      this.#outOfTime(grant.root, now) ??
      wrongPolicy(grant.root, activePolicyDigest) ??
      boundToEnvironment(authentic.value) ??
      boundToKey(authentic.value);
    return fault ? { ...fault, known: grant } : pass(grant);
  }

  #recall(text: string): Outcome<Authentic> {
    if (this.#generation !== this.#rules.authorities.generation) this.#forget();
    const name = sha256Hex(text);
    const known = this.#authentic.get(name);
    if (known) return pass(known);
    const authentic = this.#authenticate(text);
    if (authentic.ok) this.#authentic.set(name, authentic.value);
    return authentic;
  }

  /** Shape, key, signature, and only then the claims. */
  #authenticate(text: string): Outcome<Authentic> {
    const tokens = parseTokens(text);
    if (!tokens.ok) return tokens;
    const [root, child] = tokens.value;
    const { iss } = root.payload;
    const key = typeof iss === 'string' ? this.#rules.authorities.find(iss, root.kid) : undefined;
    if (!key) return deny('grant_unknown_key', `iss ${JSON.stringify(iss)}, kid ${root.kid}`);
    if (!this.#rules.suite.verify(key, encodeUtf8(root.signingInput), root.signature))
      return deny('grant_bad_signature', `not signed by ${key.id}`);
    const read = readClaims(root.payload); // nothing in it is believed before this line
    if (!read.ok) return read;
    if (child) return deny('grant_chain_unsupported', `a chain of ${tokens.value.length}`);
    const grant = { root: read.value.root, key, digest: sha256Hex(root.signingInput) };
    return pass({ ...read.value, grant });
  }

  #forget(): void {
    this.#authentic.clear();
    this.#generation = this.#rules.authorities.generation;
  }

  /** RFC 7519 §4.1.3. Uses are counted in one log, so a grant with `max_calls` must be for that log. */
  #wrongAudience({ aud, scope }: RootClaims): Refusal | undefined {
    const { audience, origin = audience } = this.#rules;
    const counted = scope.some(({ max_calls }) => max_calls !== undefined);
    if (aud === audience && (!counted || aud === origin)) return undefined;
    return deny('grant_wrong_audience', counted ? `${aud}, counted in ${origin}` : aud);
  }

  /** RFC 7519 §4.1.4–6. At `exp` itself a grant has expired. */
  #outOfTime({ iat, nbf = 0, exp, jti }: RootClaims, now: number): Refusal | undefined {
    const { clockSkewSeconds, maxLifetimeSeconds } = this.#rules;
    const seconds = now / 1000;
    if (exp - iat > maxLifetimeSeconds) return deny('grant_lifetime', `${exp - iat} s`);
    if (iat > seconds + clockSkewSeconds) return deny('grant_not_yet_valid', `iat ${iat}`);
    if (nbf > seconds) return deny('grant_not_yet_valid', `nbf ${nbf}`);
    return seconds >= exp ? deny('grant_expired', jti) : undefined;
  }
}

function delegated({ delegated }: Authentic): Refusal | undefined {
  return delegated ? deny('grant_chain_unsupported', 'del_depth, del_max_depth or par_hash') : undefined;
}

function wrongPolicy({ policy }: RootClaims, active: string | undefined): Refusal | undefined {
  return policy === undefined || policy === active ? undefined : deny('grant_wrong_policy', policy);
}

function boundToEnvironment({ environment }: Authentic): Refusal | undefined {
  return environment ? deny('grant_environment_unsupported', 'env') : undefined;
}

function boundToKey({ possession }: Authentic): Refusal | undefined {
  return possession ? deny('grant_possession_unsupported', 'cnf') : undefined;
}
