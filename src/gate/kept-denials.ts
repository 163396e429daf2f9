/**
 * The last denials, for agents whose client swallows the body of a refused CONNECT: who brings the grant that was refused
 * may read its denial again, by id (design.md §8). They lie in one piece of memory outside V8's heap, one behind the other:
 * as strings they lived just long enough to be moved to where only full collections find them.
 */
import type { Grant } from '../grant/grant.ts';
import type { Denial } from './denial.ts';

/** Where a denial lies. */
interface Place {
  readonly start: number;
  readonly end: number;
  /** Of the grant that was refused: SHA-256 of its signing input, hex. Absent: only the operator may ask. */
  readonly digest?: string;
}

/** About 700 denials of usual size. */
const ROOM_BYTES = 4 * 1024 * 1024;

/** Denials by id, the oldest first to go. */
export class KeptDenials {
  readonly #bytes: Buffer;
  /** In the order of their places, from the oldest on. */
  readonly #places = new Map<string, Place>();
  #next = 0;

  constructor(roomBytes = ROOM_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(roomBytes);
  }

  /** Keeps one. */
  keep({ id, body }: Denial, grant: Grant | undefined): void {
    const length = Buffer.byteLength(body);
    if (length > this.#bytes.length) return;
    if (this.#next + length > this.#bytes.length) this.#beginAnew();
    const start = this.#next;
    const end = start + length;
    this.#forget((old) => old.start >= start && old.start < end);
    this.#places.delete(id);
    this.#bytes.write(body, start);
    this.#places.set(id, { start, end, ...(grant && { digest: grant.digest }) });
    this.#next = end;
  }

  /** The body of a denial, for the operator or for the holder of the grant that was refused. */
  find(id: string, asker: 'operator' | Grant): string | undefined {
    const place = this.#places.get(id);
    if (!place || (asker !== 'operator' && place.digest !== asker.digest)) return undefined;
    return this.#bytes.toString('utf8', place.start, place.end);
  }

  #beginAnew(): void {
    const last = this.#next;
    this.#forget((old) => old.start >= last);
    this.#next = 0;
  }

  /** The oldest, as long as this holds for them. */
  #forget(goes: (place: Place) => boolean): void {
    for (const [id, place] of this.#places) {
      if (!goes(place)) return;
      this.#places.delete(id);
    }
  }
}
