/**
 * Connections to upstreams, never shared across agents, origins, TLS identities or vetted addresses: one of HTTP/1.1 waits
 * between calls, one of HTTP/2 carries its agent's calls side by side.
 */
import type { Dialled, Protocol } from './dial.ts';
import { Http1Transport } from './http1-transport.ts';
import { IdleConnections } from './idle-connections.ts';
import type { IdleSettings } from './idle-connections.ts';
import { NegotiatedTransport } from './negotiated-transport.ts';
import type { Transport, TransportSettings, TransportTarget } from './transport.ts';
import { UpstreamSessions } from './sessions.ts';

/** How all transports behave. */
export type TransportPoolSettings = TransportSettings & IdleSettings;

/** Gives each call its transport. */
export class TransportPool {
  readonly #settings: TransportPoolSettings;
  readonly #pool: IdleConnections;
  readonly #sessions: UpstreamSessions;

  constructor(settings: TransportPoolSettings) {
    this.#settings = settings;
    this.#pool = new IdleConnections(settings);
    this.#sessions = new UpstreamSessions(settings);
  }

  /** How many connections are open and carry nothing. */
  get idle(): number {
    return this.#pool.size + this.#sessions.unused;
  }

  /** A transport for this agent and target; `offer`: what may be spoken, the most wanted first. */
  take(agent: string, target: TransportTarget, offer: readonly Protocol[]): Transport {
    const key = keyOf(agent, target, offer);
    const idle = this.#pool.take(key);
    if (idle) return idle;
    if (!offer.includes('h2')) return this.#http1(key, target);
    const parts = { key, target, offer, sessions: this.#sessions, clock: this.#settings.clock };
    return new NegotiatedTransport({ ...parts, http1: (opened) => this.#http1(key, target, opened) });
  }

  /** Closes the connections that carry nothing, and what comes back from now on. */
  close(): void {
    this.#pool.close();
    this.#sessions.close();
  }

  #http1(key: string, target: TransportTarget, opened?: Dialled): Http1Transport {
    const rest = (given: Http1Transport): void => this.#pool.giveBack(given);
    const transport = new Http1Transport({ key, target, settings: this.#settings, opened, rest });
    transport.onDisconnect(() => this.#pool.lost(transport));
    return transport;
  }
}

/** None of these parts holds a space, so the agent's text at the end cannot pose as them. */
function keyOf(
  agent: string,
  { origin, addresses, tls }: TransportTarget,
  offer: readonly Protocol[],
): string {
  const where = addresses.map(({ address }) => address).join(',');
  return `${origin} ${offer.join(',')} ${where} ${tls?.id ?? 'clear'} ${agent}`;
}
