/** The memory of all bodies that are held, together: many that are small or slow must not take what one may not. */

/** A body that takes memory. */
export interface Holding {
  /** Whose it is: `iss`, `sub`. */
  readonly agent: string;
  /** Gives up the body, and with it its memory. */
  giveUp(): void;
}

/** What one agent holds. */
interface Share {
  bytes: number;
  /** Those that are still being read, and those that are whole; the oldest first. */
  readonly unfinished: Set<Holding>;
  readonly whole: Set<Holding>;
}

/** Hears of each piece that is read, and may ask its reader to wait. `written`: when the disk has it, where it goes there. */
export type OnPiece = (
  agent: string,
  bytes: number,
  written?: Promise<unknown>,
) => Promise<undefined> | undefined;

/**
 * Counts it. One agent may use all of it while nobody else needs it; where it is full, the agent that holds the most gives
 * way: with the body that it has been sending for longest, then, for another agent, with its oldest whole one.
 */
export class HeldMemory {
  readonly #most: number;
  readonly #onPiece: OnPiece;
  readonly #shares = new Map<string, Share>();
  #used = 0;

  /** `most`: bytes of all bodies together. */
  constructor(most: number, onPiece: OnPiece = () => undefined) {
    this.#most = most;
    this.#onPiece = onPiece;
  }

  /** A piece was read. A promise asks to wait for it before the next one is. */
  read(bytes: number, { agent }: Holding, written?: Promise<unknown>): Promise<undefined> | undefined {
    return this.#onPiece(agent, bytes, written);
  }

  /** Bytes that are taken now. */
  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes could be had; where `urgent`, at the cost of who holds the most. */
  take(bytes: number, by: Holding, urgent: boolean): boolean {
    const share = this.#shareOf(by);
    share.unfinished.add(by);
    while (urgent && this.#used + bytes > this.#most) {
      const giver = this.#giver(by, bytes);
      if (!giver || giver === by) break;
      giver.giveUp();
    }
    if (this.#used + bytes > this.#most) return false;
    this.#used += bytes;
    share.bytes += bytes;
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
