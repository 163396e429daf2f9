/** Forwards permitted calls with undici's `dispatch`: no redirects, no decompression, no retries. */
import type { Clock, Ended, Passage, Upstream } from '../gate/outside.ts';
import type { AgentExchange } from './exchange.ts';
import type { Lane } from './lane.ts';
import { Pool } from './pool.ts';
import { Relay } from './relay.ts';
import type { RelayParts } from './relay.ts';
import { Scavenger } from './scavenger.ts';
import { trustOf } from './tls-identity.ts';

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
  readonly #pool: Pool;
  readonly #relaying: Omit<RelayParts, 'passage' | 'lane'>;

  constructor(clock: Clock, settings: UpstreamSettings = UPSTREAM_DEFAULTS) {
    const { headMs, bodyIdleMs, roots } = settings;
    this.#pool = new Pool({ ...settings, clock, maxHeadBytes: MAX_HEAD_BYTES, trust: trustOf(roots) });
    const release = (lane: Lane): void => this.#pool.giveBack(lane);
    this.#relaying = { clock, headMs, bodyIdleMs, release, scavenger: new Scavenger() };
  }

  /** How many upstream connections wait for their agent's next call. */
  get idle(): number {
    return this.#pool.size;
  }

  execute(passage: Passage<AgentExchange>): Promise<Ended> {
    const { call, agent, addresses } = passage;
    const { scheme, host, origin } = call;
    const lane = this.#pool.take(agent, { scheme, host, origin, addresses });
    return new Relay({ ...this.#relaying, passage, lane }).run();
  }

  /** Closes the connections that wait; running calls are their leases' business. */
  close(): void {
    this.#pool.close();
  }
}
