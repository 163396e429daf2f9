/**
 * How often each counted grant was used. The log is the truth: every use is a permit on record, so the counters are
 * rebuilt from it at start, and one use is one use across restarts (formats.md §2, "Use counts").
 */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { DecisionPredicate, GrantLink } from '../lineage/statement.ts';
import type { Coverage } from './grant.ts';

interface Counter {
  used: number;
  /** Seconds since 1970: the grant's `exp`. */
  readonly expires: number;
}

type Counted = Pick<GrantLink, 'jti' | 'key' | 'entry'>;

/** Counters outlive `exp` by this, so that a clock set back does not give a spent grant a second life. */
const KEEP_SECONDS = 24 * 3600;
/** Expired counters are dropped whenever this many new ones have come. */
const SWEEP_EVERY = 4096;

/** A counter as a snapshot keeps it: its name, uses so far, and the grant's `exp`. */
export type CounterRow = readonly [name: string, used: number, expires: number];

/** Use counters by (authority's key, `jti`, index of the entry). Memory is bounded by the counted grants in force. */
export class Uses {
  readonly #counters = new Map<string, Counter>();
  readonly #wall: () => number;
  #newcomers = 0;

  /** `wall`: milliseconds since 1970. */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** How many counters are held. */
  get size(): number {
    return this.#counters.size;
  }

  /** Every counter that still matters. */
  rows(): readonly CounterRow[] {
    this.#sweep();
    return [...this.#counters].map(([name, { used, expires }]) => [name, used, expires]);
  }

  /** Takes over the counters of a snapshot, in place of all that were held. */
  restore(rows: readonly CounterRow[]): void {
    this.#counters.clear();
    for (const [name, used, expires] of rows) this.#counters.set(name, { used, expires });
    this.#sweep();
  }

  /**
   * Charges one use, or refuses: call it in the same turn as the append. What is charged stays charged, also when the
   * append fails.
   */
  charge(coverage: Coverage): Outcome<void> {
    const left = this.look(coverage);
    const { grant, index, entry } = coverage;
    if (left.ok && entry.max_calls !== undefined)
      this.#counter({ jti: grant.root.jti, key: grant.key.id, entry: index }, grant.root.exp).used++;
    return left;
  }

  /** Whether a use is left; charges nothing. */
  look({ grant, index, entry }: Coverage): Outcome<void> {
    const max = entry.max_calls;
    if (max === undefined) return pass(undefined);
    const { jti } = grant.root;
    const used = this.#counters.get(nameOf({ jti, key: grant.key.id, entry: index }))?.used ?? 0;
    if (used < max) return pass(undefined);
    return deny('grant_used_up', `${jti} entry ${index}: ${used} of ${max}`);
  }

  /**
   * Counts the uses that one recorded predicate stands for; only permits count, others are passed over. Throws where a
   * permit's grant cannot be read: such a log must not be started on.
   */
  replay(predicate: unknown): void {
    if (!isPermit(predicate)) return;
    const { chain, expires } = predicate.grant ?? {};
    if (!Array.isArray(chain) || !Number.isSafeInteger(expires))
      throw new TypeError('a permit without a grant');
    for (const link of chain as readonly GrantLink[]) this.#recount(link, Number(expires)); // checked member by member
  }

  #recount(link: GrantLink, expires: number): void {
    const { max, entry, jti, key } = link;
    if (max === undefined) return;
    if (!Number.isSafeInteger(entry) || typeof jti !== 'string' || typeof key !== 'string')
      throw new TypeError('a permit whose use cannot be counted');
    if (!this.#isOver(expires)) this.#counter(link, expires).used++;
  }

  #counter(counted: Counted, expires: number): Counter {
    const name = nameOf(counted);
    const known = this.#counters.get(name);
    if (known) return known;
    if (++this.#newcomers % SWEEP_EVERY === 0) this.#sweep();
    const counter = { used: 0, expires };
    this.#counters.set(name, counter);
    return counter;
  }

  #sweep(): void {
    for (const [name, { expires }] of this.#counters) if (this.#isOver(expires)) this.#counters.delete(name);
  }

  #isOver(expires: number): boolean {
    return this.#wall() / 1000 > expires + KEEP_SECONDS;
  }
}

function isPermit(predicate: unknown): predicate is Partial<DecisionPredicate> {
  return (
    typeof predicate === 'object' &&
    predicate !== null &&
    'verdict' in predicate &&
    predicate.verdict === 'permit'
  );
}

function nameOf({ jti, key, entry }: Counted): string {
  return `${key} ${jti} ${entry}`;
}
