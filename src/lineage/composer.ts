/** Turns drafts into the bytes of the next batch: numbers, chains and hashes them, and has the new head signed. */
import { node } from '../crypto/node.ts';
import { chainHash } from './audit.ts';
import { leafHash } from './merkle.ts';
import type { Seal } from './seal.ts';
import { BatchBuilder } from './segment.ts';
import { entryTexts } from './statement.ts';
import type { Draft } from './statement.ts';
import type { Tree } from './tree.ts';

/** A composed batch. The views are good until the next one is composed. */
export interface Composed {
  readonly first: number;
  /** The whole batch. */
  readonly bytes: Uint8Array;
  readonly entries: readonly Uint8Array[];
  /** The signed checkpoint over it: a secret until the batch is durable. */
  readonly head: string;
}

/** Where a log goes on. */
export interface ComposerStart {
  readonly origin: string;
  readonly tree: Tree;
  /** BLAKE2b-512 of the last entry, hex. */
  readonly prev: string;
  readonly seal: Pick<Seal, 'head'>;
}

/** Composes one batch after the other. What it composed is part of its tree at once, so a batch that fails ends it. */
export class Composer {
  readonly #origin: string;
  readonly #seal: Pick<Seal, 'head'>;
  readonly #builder = new BatchBuilder();
  readonly tree: Tree;
  #prev: string;

  constructor({ origin, tree, prev, seal }: ComposerStart) {
    this.#origin = origin;
    this.#seal = seal;
    this.tree = tree;
    this.#prev = prev;
  }

  /** The batch of these drafts, in this order; `at` is Unix time in milliseconds. */
  compose(drafts: readonly Draft[], at: number): Composed {
    const first = this.tree.size;
    const time = new Date(at).toISOString();
    this.#builder.begin(first);
    const entries = drafts.map((draft) => this.#add(draft, time));
    const { size } = this.tree;
    const root = this.tree.root();
    const head = this.#seal.head({ origin: this.#origin, size, root });
    return { first, bytes: this.#builder.finish({ size, root, head }), entries, head };
  }

  #add(draft: Draft, at: string): Uint8Array {
    const position = { at, origin: this.#origin, prev: this.#prev, seq: this.tree.size };
    const entry = this.#builder.add(...entryTexts(draft, position));
    this.tree.push(leafHash(node, entry));
    this.#prev = chainHash(entry);
    return entry;
  }
}
