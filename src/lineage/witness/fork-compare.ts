/** Compares two views of one log: the same, one extends the other, or a fork, with its proof. Portable. */
import { equalBytes } from '../../crypto/bytes.ts';
import type { Suite } from '../../crypto/suite.ts';
import type { VerifiedHead } from '../checkpoint.ts';
import { isExtension } from '../consistency.ts';
import type { ForkEvidence } from './fork.ts';
import { TiledTree, TileMissing } from '../tiles/proof.ts';
import type { GiveTile } from '../tiles/proof.ts';

/** What somebody was shown of a log. */
export interface LogView {
  /** Verified under one log key. */
  readonly head: VerifiedHead;
  /** The signed note of the head. */
  readonly note: string;
  /** Where the tiles of this view are, if they are at hand. */
  readonly tiles?: GiveTile;
}

/** What came of a comparison. `older` and `newer` are the views in order of size. */
export type Comparison =
  | { readonly verdict: 'same' }
  | { readonly verdict: 'extends'; readonly hashes: readonly Uint8Array[]; readonly newer: 'a' | 'b' }
  | { readonly verdict: 'forked'; readonly evidence: ForkEvidence }
  | { readonly verdict: 'unknown'; readonly why: string };

/** Compares two views under one and the same log key. What it says does not rest on the tiles being honest. */
export async function compareViews(suite: Suite, a: LogView, b: LogView): Promise<Comparison> {
  if (a.head.origin !== b.head.origin)
    return { verdict: 'unknown', why: `they are of two logs: ${a.head.origin} and ${b.head.origin}` };
  const [older, newer] = a.head.size <= b.head.size ? [a, b] : [b, a];
  if (older.head.size === newer.head.size)
    return equalBytes(older.head.root, newer.head.root)
      ? { verdict: 'same' }
      : { verdict: 'forked', evidence: { first: older.note, second: newer.note } };
  const compared = await compareSizes(suite, older, newer).catch((cause: unknown) => {
    if (cause instanceof TileMissing) return { verdict: 'unknown' as const, why: cause.message };
    throw cause;
  });
  return compared.verdict === 'extends' ? { ...compared, newer: newer === b ? 'b' : 'a' } : compared;
}

async function compareSizes(suite: Suite, older: LogView, newer: LogView): Promise<Comparison> {
  if (!newer.tiles)
    return { verdict: 'unknown', why: 'the tiles of the larger one are needed: name its log or its URL' };
  const tree = new TiledTree(suite, newer.head.size, newer.tiles);
  const hashes = await tree.consistency(older.head.size);
  if (isExtension(suite, { old: older.head, head: newer.head, hashes }))
    return { verdict: 'extends', hashes, newer: 'b' };
  const root = await tree.root(older.head.size);
  if (!isExtension(suite, { old: { size: older.head.size, root }, head: newer.head, hashes }))
    return { verdict: 'unknown', why: 'the tiles of the larger one are not those of its checkpoint' };
  return {
    verdict: 'forked',
    evidence: { first: older.note, second: newer.note, bridge: { root, hashes } },
  };
}
