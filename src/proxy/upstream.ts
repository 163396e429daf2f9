/** Forwards permitted calls with undici's `dispatch`: no redirects, no decompression, no retries. */
import type { Clock, Ended, Passage, Upstream } from '../gate/outside.ts';
import type { AgentExchange } from './exchange.ts';
import { Pool } from './pool.ts';
import { Relay } from './relay.ts';

/** How upstreams are called; all times in milliseconds. */
export interface UpstreamSettings {
  readonly connectMs: number;
  readonly headMs: number;
  /** Silence within a response's body; 0 waits for ever, as event streams need. */
  readonly bodyIdleMs: number;
  /** How long an unused connection is kept. */
  readonly idleMs: number;
  readonly maxIdle: number;
  readonly maxIdlePerKey: number;
  /** PEM roots to trust instead of Node's own list; main joins both where extra roots are set. */
  readonly roots?: readonly string[];
}

/** What fits most agents. */
export const UPSTREAM_DEFAULTS: UpstreamSettings = {
  connectMs: 10_000,
  headMs: 60_000,
  bodyIdleMs: 0,
  idleMs: 4000,
  maxIdle: 1024,
  maxIdlePerKey: 256,
};

const MAX_HEAD_BYTES = 16 * 1024;

/** The gate's `Upstream` over HTTP/1.1. */
export class HttpUpstream implements Upstream<AgentExchange> {
  readonly #clock: Clock;
  readonly #settings: UpstreamSettings;
  readonly #pool: Pool;

  constructor(clock: Clock, settings: UpstreamSettings = UPSTREAM_DEFAULTS) {
    this.#clock = clock;
    this.#settings = settings;
    this.#pool = new Pool({ ...settings, clock, maxHeadBytes: MAX_HEAD_BYTES });
  }

  /** How many upstream connections wait for their agent's next call. */
  get idle(): number {
    return this.#pool.size;
  }

  execute(passage: Passage<AgentExchange>): Promise<Ended> {
    const { call, agent, addresses } = passage;
    const { headMs, bodyIdleMs } = this.#settings;
    const { scheme, host, origin } = call;
    const lane = this.#pool.take(agent, { scheme, host, origin, addresses });
    const release = this.#pool.giveBack.bind(this.#pool);
    return new Relay({ passage, lane, clock: this.#clock, headMs, bodyIdleMs, release }).run();
  }

  /** Closes the connections that wait; running calls are their leases' business. */
  close(): void {
    this.#pool.close();
  }
}
