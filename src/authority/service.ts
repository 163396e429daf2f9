/** The authority that `writ dev` embeds: it signs root grants for this one sidecar. In production it is a service of its own. */
import type { Signer } from '../crypto/node.ts';
import { deny } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { issueGrant } from '../grant/issue.ts';
import type { GrantOrder, IssuedGrant } from '../grant/issue.ts';

/** What someone asks an authority for; the rest is the authority's own. */
export interface GrantWish extends Omit<GrantOrder, 'iss' | 'aud' | 'seconds'> {
  /** Default: the sidecar's audience. */
  readonly aud?: string;
  /** Lifetime; default: the longest there is. */
  readonly seconds?: number;
}

/** What an authority is made of. */
export interface AuthorityParts {
  readonly signer: Signer;
  /** Its URI: what `authorities.json` pins the key to. */
  readonly iss: string;
  /** The audience of grants that name none. */
  readonly audience: string;
  readonly maxLifetimeSeconds: number;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** A fresh UUIDv7. */
  readonly uuid: () => string;
}

/** Issues grants under one key. */
export class Authority {
  readonly #parts: AuthorityParts;

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
  }

  /** Signs what is wished for, or refuses with the code that its verification would. Records nothing. */
  issue(wish: GrantWish): Outcome<IssuedGrant> {
    const { signer, iss, audience, maxLifetimeSeconds, wall, uuid } = this.#parts;
    const order = { aud: audience, seconds: maxLifetimeSeconds, ...wish, iss };
    if (order.seconds > maxLifetimeSeconds)
      return deny(
        'grant_lifetime',
        `${order.seconds} s; at most ${maxLifetimeSeconds} (grant.max_lifetime_seconds)`,
      );
    return issueGrant(signer, order, { now: wall(), jti: uuid() });
  }
}
