/** How many calls each agent has running at each upstream, tunnels among them. */
import type { Passage } from '../../gate/outside.ts';

/** Counts them, up to a limit. */
export class ConcurrencyLimit {
  readonly #most: number;
  /** By origin and agent; none is zero. */
  readonly #counts = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Undefined where there are as many as may be; else what is to be called, once, when the call is over. */
  enter({ call: { host, port }, agent }: Pick<Passage<never>, 'call' | 'agent'>): (() => void) | undefined {
    const key = `${host} ${port} ${agent}`;
    const before = this.#counts.get(key) ?? 0;
    if (before >= this.#most) return undefined;

    this.#counts.set(key, before + 1);
    return () => this.#leave(key);
  }

  #leave(key: string): void {
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
