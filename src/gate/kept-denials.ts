/**
 * The last denials, for agents whose client swallows the body of a refused CONNECT: who brings the grant that was refused
 * may read its denial again, by id (design.md §8).
 */
import { LRUCache } from 'lru-cache';
import type { Grant } from '../grant/grant.ts';
import type { Denial } from './denial.ts';

interface Kept {
  readonly body: string;
  /** Of the grant that was refused: SHA-256 of its signing input, hex. Absent: only the operator may ask. */
  readonly digest?: string;
}

/** About 500 denials of usual size. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Denials by id, the longest unasked first to go. */
export class KeptDenials {
  readonly #denials = new LRUCache<string, Kept>({
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ body }) => body.length,
  });

  /** Keeps one. */
  keep({ id, body }: Denial, grant: Grant | undefined): void {
    this.#denials.set(id, { body, ...(grant && { digest: grant.digest }) });
  }

  /** The body of a denial, for the operator or for the holder of the grant that was refused. */
  find(id: string, asker: 'operator' | Grant): string | undefined {
    const kept = this.#denials.get(id);
    return asker === 'operator' || kept?.digest === asker.digest ? kept?.body : undefined;
  }
}
