/** Upstream connections that wait for their agent's next call. Never shared across agents, origins or addresses. */
import { Lane } from './lane.ts';
import type { LaneSettings, LaneTarget } from './lane.ts';

/** How many unused connections are kept. */
export interface PoolSettings extends LaneSettings {
  readonly maxIdle: number;
  readonly maxIdlePerKey: number;
}

/** Idle lanes by key, the longest unused first to go. */
export class Pool {
  readonly #settings: PoolSettings;
  readonly #idle = new Map<string, Lane[]>();
  /** All idle lanes, oldest first. */
  readonly #order = new Set<Lane>();
  #closed = false;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  /** How many connections wait. */
  get size(): number {
    return this.#order.size;
  }

  /** An idle lane for this agent and target, or a new one. */
  take(agent: string, target: LaneTarget): Lane {
    const key = keyOf(agent, target);
    for (let idle = this.#last(key); idle; idle = this.#last(key)) {
      this.#remove(idle);
      if (idle.reusable) return idle;
      idle.destroy();
    }
    return this.#open(key, target);
  }

  /**
   * Takes a lane back after a call that ended well; any other lane is to be destroyed. It waits for a later turn of the
   * event loop, so that bytes after the response's end, already on the socket, destroy it first.
   */
  giveBack(lane: Lane): void {
    lane.rest();
    setImmediate(() => {
      if (this.#closed || !lane.reusable) lane.destroy();
      else this.#add(lane);
    });
  }

  /** Closes what waits, and what comes back from now on. */
  close(): void {
    this.#closed = true;
    for (const lane of [...this.#order]) this.#evict(lane);
  }

  #last(key: string): Lane | undefined {
    return this.#idle.get(key)?.at(-1);
  }

  #open(key: string, target: LaneTarget): Lane {
    const lane = new Lane(key, target, this.#settings);
    lane.onDisconnect(() => {
      if (this.#order.has(lane)) this.#evict(lane);
    });
    return lane;
  }

  #add(lane: Lane): void {
    const same = this.#idle.get(lane.key) ?? [];
    this.#idle.set(lane.key, same);
    same.push(lane);
    this.#order.add(lane);
    const surplus = same.length > this.#settings.maxIdlePerKey ? same[0] : this.#eldest();
    if (surplus) this.#evict(surplus);
  }

  #eldest(): Lane | undefined {
    if (this.#order.size <= this.#settings.maxIdle) return undefined;
    return this.#order.values().next().value;
  }

  #evict(lane: Lane): void {
    this.#remove(lane);
    lane.destroy();
  }

  #remove(lane: Lane): void {
    this.#order.delete(lane);
    const same = this.#idle.get(lane.key) ?? [];
    const at = same.indexOf(lane);
    if (at >= 0) same.splice(at, 1);
    if (same.length === 0) this.#idle.delete(lane.key);
  }
}

/** Origins and addresses hold no spaces, so the agent's text at the end cannot pose as them. */
function keyOf(agent: string, { origin, addresses }: LaneTarget): string {
  return `${origin} ${addresses.map(({ address }) => address).join(',')} ${agent}`;
}
