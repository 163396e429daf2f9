/** The tree as RFC 6962 §2.1 defines it, word for word; shares no code with ours. Remembers hashes, or it would take for ever. */
import { createHash } from 'node:crypto';

const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** k: the largest power of two smaller than n. */
const split = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1);

/** The trees over the first 0, 1, 2 … of these entries. `D[a:b]` are the entries a to b − 1. */
export class NaiveTree {
  readonly #entries: readonly Uint8Array[];
  readonly #known = new Map<string, Buffer>();

  constructor(entries: readonly Uint8Array[]) {
    this.#entries = entries;
  }

  /** MTH(D[a:b]). */
  root(a: number, b: number): Buffer {
    const key = `${a}:${b}`;
    const known = this.#known.get(key) ?? this.#root(a, b);
    this.#known.set(key, known);
    return known;
  }

  /** PATH(m, D[a:b]). */
  path(m: number, a: number, b: number): readonly Buffer[] {
    if (b - a <= 1) return [];
    const k = split(b - a);
    return m < k
      ? [...this.path(m, a, a + k), this.root(a + k, b)]
      : [...this.path(m - k, a + k, b), this.root(a, a + k)];
  }

  /** PROOF(m, D[0:n]) = SUBPROOF(m, D[0:n], true). */
  proof(m: number, n: number): readonly Buffer[] {
    return this.#subproof(m, { a: 0, b: n, whole: true });
  }

  #root(a: number, b: number): Buffer {
    if (a === b) return sha256();
    if (b - a === 1) return sha256(Buffer.of(0), this.#entries[a] ?? Buffer.of());
    const k = split(b - a);
    return sha256(Buffer.of(1), this.root(a, a + k), this.root(a + k, b));
  }

  #subproof(
    m: number,
    { a, b, whole }: { readonly a: number; readonly b: number; readonly whole: boolean },
  ): readonly Buffer[] {
    if (m === b - a) return whole ? [] : [this.root(a, b)];
    const k = split(b - a);
    if (m <= k) return [...this.#subproof(m, { a, b: a + k, whole }), this.root(a + k, b)];
    return [...this.#subproof(m - k, { a: a + k, b, whole: false }), this.root(a, a + k)];
  }
}
