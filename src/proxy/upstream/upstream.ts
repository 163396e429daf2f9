/** Forwards permitted calls over HTTP/1.1 and HTTP/2: no redirects, no decompression, no retries. */
import type { Call } from '../../call/call.ts';
import { causeText } from '../../config/cause-text.ts';
import type { Clock, Ended, Passage, Upstream } from '../../gate/outside.ts';
import { EMPTY, neverSent } from '../../gate/record.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { Protocol } from './dial.ts';
import type { AgentExchange } from '../agent/exchange.ts';
import { isGrpcCall } from '../grpc.ts';
import type { MinimumRateSettings } from '../agent/minimum-rate.ts';
import { Relay } from '../relay.ts';
import type { RelayParts } from '../relay.ts';
import { failureReply } from '../reply.ts';
import { Scavenger } from '../scavenger.ts';
import type { SpliceSettings } from '../tunnel/splice.ts';
import { tlsIdentities } from './tls-identity.ts';
import type { Identities } from './tls-identity.ts';
import type { Transport } from './transport.ts';
import { TransportPool } from './transport-pool.ts';
import { UpgradeTransport } from '../websocket/upgrade.ts';
import type { UpgradeParts } from '../websocket/upgrade.ts';
import type { UpstreamProxy } from './proxy.ts';
import type { WebSocketLimits } from '../websocket/websocket.ts';

/**
 * What an upstream is spoken to with. `auto`: what the agent speaks, where the upstream agrees to it by ALPN; in the
 * clear, where nobody can ask, HTTP/1.1, but for gRPC, which has HTTP/2 only.
 */
export type HttpChoice = 'auto' | 'h1' | 'h2';

/** How upstreams are called; all times in milliseconds. */
export interface UpstreamSettings {
  readonly connectMs: number;
  readonly headMs: number;
  /** Silence within a response's body; 0 waits for ever, as event streams need. */
  readonly bodyIdleMs: number;
  /** For a whole call; 0: as long as its lease. */
  readonly totalMs: number;
  /** For an agent to send or take the next byte; 0: as long as its lease. */
  readonly agentMs: number;
  /** For an agent's body that is no stream; it is cut where it comes more slowly. */
  readonly minimumRate: MinimumRateSettings;
  /** How long an unused connection is kept. */
  readonly idleMs: number;
  readonly maxIdle: number;
  readonly maxIdlePerKey: number;
  /** Calls that one agent may have running at one upstream; past it: 503. */
  readonly maxCalls: number;
  /** By WHATWG origin. */
  readonly choose: (origin: string) => HttpChoice;
  readonly webSocket: WebSocketLimits;
  readonly identity: Identities;
  /** The proxy on the way to a host, if there is one. */
  readonly proxyFor: (host: string) => UpstreamProxy | undefined;
}

/** What fits most agents. */
export const UPSTREAM_DEFAULTS: UpstreamSettings = {
  connectMs: 10_000,
  headMs: 60_000,
  bodyIdleMs: 0,
  totalMs: 0,
  agentMs: 0,
  minimumRate: { bytesPerSecond: 0, graceMs: 30_000 },
  idleMs: 4000,
  maxIdle: 1024,
  maxIdlePerKey: 256,
  maxCalls: 128,
  choose: () => 'auto',
  webSocket: { maxMessageBytes: 16_777_216, idleMs: 300_000 },
  identity: tlsIdentities(),
  proxyFor: () => undefined,
};

const MAX_HEAD_BYTES = 16 * 1024;

/** The gate's `Upstream`. */
export class HttpUpstream implements Upstream<AgentExchange> {
  readonly #settings: UpstreamSettings;
  readonly #transports: TransportPool;
  readonly #relaying: Omit<RelayParts, 'passage' | 'transport'>;
  readonly #upgrading: Omit<UpgradeParts, 'call' | 'target'>;
  readonly #tunnelling: Omit<SpliceSettings, 'helloMs'>;
  readonly #concurrencyLimit: ConcurrencyLimit;

  constructor(clock: Clock, settings: UpstreamSettings = UPSTREAM_DEFAULTS) {
    const { headMs, bodyIdleMs, connectMs, totalMs, agentMs, minimumRate, proxyFor } = settings;
    const dialling = { clock, connectMs, proxyFor };
    const concurrencyLimit = new ConcurrencyLimit(settings.maxCalls);
    this.#concurrencyLimit = concurrencyLimit;
    const scavenger = new Scavenger();
    this.#settings = settings;
    this.#transports = new TransportPool({ ...settings, clock, maxHeadBytes: MAX_HEAD_BYTES });
    this.#upgrading = { clock, dialling, limits: settings.webSocket };
    const timeouts = { headMs, idleMs: bodyIdleMs };
    this.#relaying = { clock, timeouts, totalMs, agentMs, minimumRate, scavenger };
    this.#tunnelling = { ...dialling, idleMs: bodyIdleMs, totalMs, scavenger, concurrencyLimit };
  }

  /** How tunnels that stay closed are carried to the same upstreams. */
  get tunnelling(): Omit<SpliceSettings, 'helloMs'> {
    return this.#tunnelling;
  }

  /** How many upstream connections wait for their agent's next call. */
  get idle(): number {
    return this.#transports.idle;
  }

  async execute(passage: Passage<AgentExchange>): Promise<Ended> {
    const leave = this.#concurrencyLimit.enter(passage);
    if (!leave) return refuseBusy(passage);
    try {
      const transport = this.#transportFor(passage);
      return await new Relay({ ...this.#relaying, passage, transport }).run();
    } catch (cause) {
      return { ...neverSent('internal_error'), why: causeText(cause) }; // a relay never rejects
    } finally {
      leave();
    }
  }

  /** Closes the connections that wait; running calls are their leases' business. */
  close(): void {
    this.#transports.close();
  }

  #transportFor({ call, agent, addresses, exchange }: Passage<AgentExchange>): Transport {
    const { scheme, host, port, origin } = call;
    const { choose, identity } = this.#settings;
    const tls = scheme === 'https' ? identity({ host, port }) : undefined;
    const target = { host, origin, addresses, tls };
    if (call.upgrade) return new UpgradeTransport({ ...this.#upgrading, call, target }); // never anything else, and gone with its call
    return this.#transports.take(agent, target, offerOf(choose(origin), call, exchange));
  }
}

/** An agent on HTTP/1.1 is given HTTP/1.1 unless the operator says otherwise: nothing is translated without need. */
function offerOf(
  choice: HttpChoice,
  call: Pick<Call, 'scheme' | 'headers'>,
  { http2 }: Pick<AgentExchange, 'http2'>,
): readonly Protocol[] {
  if (choice === 'h2') return ['h2'];
  if (choice === 'h1' || !http2) return ['http/1.1'];
  if (call.scheme === 'https') return ['h2', 'http/1.1'];
  return [isGrpcCall(call) ? 'h2' : 'http/1.1'];
}

function refuseBusy({ call, exchange, permit }: Passage<AgentExchange>): Ended {
  exchange.answer(failureReply('upstream_busy', { id: call.id, permit }));
  return { request: EMPTY, response: EMPTY, duration_ms: 0, ended: 'upstream-error', answered: true };
}
