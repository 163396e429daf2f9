/**
 * The ways to upstreams, never shared across agents, origins, TLS identities or vetted addresses: HTTP/1.1 connections wait in a pool
 * between calls, an HTTP/2 one carries its agent's calls side by side.
 */
import type { Dialled, Protocol } from './dial.ts';
import { Http1Lane } from './http1-lane.ts';
import type { Lane, LaneSettings, LaneTarget } from './lane.ts';
import { NegotiatedLane } from './negotiated-lane.ts';
import { Pool } from './pool.ts';
import type { PoolSettings } from './pool.ts';
import { Trunks } from './trunks.ts';

/** How all lanes behave. */
export type LanesSettings = LaneSettings & PoolSettings;

/** Gives each call its lane. */
export class Lanes {
  readonly #settings: LanesSettings;
  readonly #pool: Pool;
  readonly #trunks: Trunks;

  constructor(settings: LanesSettings) {
    this.#settings = settings;
    this.#pool = new Pool(settings);
    this.#trunks = new Trunks(settings);
  }

  /** How many connections are open and carry nothing. */
  get idle(): number {
    return this.#pool.size + this.#trunks.unused;
  }

  /** A lane for this agent and target; `offer`: what may be spoken, the most wanted first. */
  take(agent: string, target: LaneTarget, offer: readonly Protocol[]): Lane {
    const key = keyOf(agent, target, offer);
    const idle = this.#pool.take(key);
    if (idle) return idle;
    if (!offer.includes('h2')) return this.#http1(key, target);
    const parts = { key, target, offer, trunks: this.#trunks, clock: this.#settings.clock };
    return new NegotiatedLane({ ...parts, http1: (opened) => this.#http1(key, target, opened) });
  }

  /** Closes the connections that carry nothing, and what comes back from now on. */
  close(): void {
    this.#pool.close();
    this.#trunks.close();
  }

  #http1(key: string, target: LaneTarget, opened?: Dialled): Http1Lane {
    const rest = (given: Http1Lane): void => this.#pool.giveBack(given);
    const lane = new Http1Lane({ key, target, settings: this.#settings, opened, rest });
    lane.onDisconnect(() => this.#pool.lost(lane));
    return lane;
  }
}

/** None of these parts holds a space, so the agent's text at the end cannot pose as them. */
function keyOf(agent: string, { origin, addresses, tls }: LaneTarget, offer: readonly Protocol[]): string {
  const where = addresses.map(({ address }) => address).join(',');
  return `${origin} ${offer.join(',')} ${where} ${tls?.id ?? 'clear'} ${agent}`;
}
