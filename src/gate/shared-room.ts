/** Room that all bodies which are held share, in memory or on disk: many that are small or slow must not take what one may not. */

/** A body that takes room. */
export interface Holding {
  /** Whose it is: `iss`, `sub`. */
  readonly agent: string;
  /** Gives up the body, and with it its room. */
  giveUp(): void;
}

/** What one agent holds. */
interface Share {
  bytes: number;
  /** Those that are still being read, and those that are whole; the oldest first. */
  readonly unfinished: Set<Holding>;
  readonly whole: Set<Holding>;
}

/** Of the room, how much is for what could lie elsewhere. */
const SPARE = 1 / 4;

/**
 * Counts it. One agent may use all of it while nobody else needs it; where it is full, the agent that holds the most gives
 * way: with the body that it has been sending for longest, then, for another agent, with its oldest whole one.
 */
export class SharedRoom {
  readonly #most: number;
  readonly #shares = new Map<string, Share>();
  #used = 0;

  /** `most`: bytes of all bodies together. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes that are taken now. */
  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes could be had, at the cost of who holds the most where too few are left. */
  take(bytes: number, by: Holding): boolean {
    while (this.#used + bytes > this.#most) {
      const giver = this.#giver(by, bytes);
      if (!giver || giver === by) return false;
      giver.giveUp();
    }
    this.#add(bytes, by);
    return true;
  }

  /** The same for what could lie elsewhere: at nobody's cost, and while most of the room is free. */
  takeSpare(bytes: number, by: Holding): boolean {
    if (this.#used + bytes > this.#most * SPARE) return false;
    this.#add(bytes, by);
    return true;
  }

  /** Gives bytes back. */
  give(bytes: number, by: Holding): void {
    this.#used -= bytes;
    this.#shareOf(by).bytes -= bytes;
  }

  /** It has come to its end, and is held until its upstream has it. */
  finish(by: Holding): void {
    const { unfinished, whole } = this.#shareOf(by);
    if (unfinished.delete(by)) whole.add(by);
  }

  /** It has given back everything. */
  forget(by: Holding): void {
    const { unfinished, whole } = this.#shareOf(by);
    unfinished.delete(by);
    whole.delete(by);
    if (unfinished.size + whole.size === 0) this.#shares.delete(by.agent);
  }

  #add(bytes: number, by: Holding): void {
    const share = this.#shareOf(by);
    share.unfinished.add(by);
    share.bytes += bytes;
    this.#used += bytes;
  }

  #shareOf({ agent }: Holding): Share {
    const share = this.#shares.get(agent) ?? { bytes: 0, unfinished: new Set(), whole: new Set() };
    this.#shares.set(agent, share);
    return share;
  }

  /** The body to be given up for that one: of the agent that would hold the most, the asking one where several would. */
  #giver(by: Holding, bytes: number): Holding | undefined {
    const own = this.#shareOf(by);
    let largest = own;
    for (const share of this.#shares.values())
      if (share.bytes > (largest === own ? own.bytes + bytes : largest.bytes)) largest = share;
    const [oldest] = largest === own ? own.unfinished : [...largest.unfinished, ...largest.whole];
    return oldest;
  }
}
