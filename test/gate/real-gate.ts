/** A gate of real parts in this process: log on disk, policy on its thread, sockets on both sides. */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Carrier } from '../../src/call/call.ts';
import { placeRoutes } from '../../src/call/route.ts';
import { systemClock, systemFresh } from '../../src/config/system.ts';
import { node } from '../../src/crypto/node.ts';
import { Gate } from '../../src/gate/gate.ts';
import type { GateParts } from '../../src/gate/gate.ts';
import { SharedRoom } from '../../src/gate/shared-room.ts';
import { Leases } from '../../src/gate/lease.ts';
import type { Observer } from '../../src/gate/observer.ts';
import { RecordingLimit } from '../../src/gate/recording-limit.ts';
import type { Clock } from '../../src/gate/outside.ts';
import { Refuser } from '../../src/gate/refuser.ts';
import { Uses } from '../../src/grant/uses.ts';
import { GrantVerifier } from '../../src/grant/verify.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { pass } from '../../src/denial/outcome.ts';
import { PolicyPool } from '../../src/policy/pool.ts';
import {
  CertificateAuthority,
  makeCertificateAuthority,
} from '../../src/proxy/tunnel/certificate-authority.ts';
import { parseException } from '../../src/proxy/address/exception.ts';
import type { AgentExchange } from '../../src/proxy/agent/exchange.ts';
import { Interceptor } from '../../src/proxy/tunnel/intercept.ts';
import { Listener } from '../../src/proxy/agent/listener.ts';
import type { CallHandler } from '../../src/proxy/agent/call-handler.ts';
import { boundedLookup, interfaceAddresses } from '../../src/proxy/address/lookup.ts';
import { OriginalDestinations } from '../../src/proxy/tunnel/original-destination.ts';
import { VettingResolver } from '../../src/proxy/address/resolver.ts';
import { DiskSpool } from '../../src/proxy/spool.ts';
import { tlsIdentities } from '../../src/proxy/upstream/tls-identity.ts';
import { TransparentListener } from '../../src/proxy/tunnel/transparent.ts';
import type { TransparentParts } from '../../src/proxy/tunnel/transparent.ts';
import { HttpUpstream, UPSTREAM_DEFAULTS } from '../../src/proxy/upstream/upstream.ts';
import type { UpstreamSettings } from '../../src/proxy/upstream/upstream.ts';
import { makeHome } from '../e2e/home.ts';
import type { Teardown, TestHome } from '../e2e/home.ts';
import { echo, startOrigin } from '../e2e/origin.ts';
import type { Origin } from '../e2e/origin.ts';
import { rootFile } from '../e2e/tls-origin.ts';
import { trusting } from '../grant/tokens.ts';
import { bundleOf, defaultFiles } from '../policy/bundle-files.ts';

/** Everything a gate is made of. */
export type Parts = GateParts<AgentExchange>;

/** The parts, and what is around them. */
export interface RealGate {
  readonly home: TestHome;
  readonly origin: Origin;
  readonly parts: Parts;
  /** What was observed. */
  readonly observed: readonly (readonly [what: keyof Observer, event: unknown])[];
  /** A forward port before a gate in which these stand instead of the real ones. */
  listen(t: Teardown, instead?: Partial<Parts>, around?: (gate: CallHandler) => CallHandler): Promise<number>;
  /** A port of any kind before the gate. The reverse one has a route `/0`, `/1` … for each of the reachable origins. */
  listenAs(carrier: 'forward' | 'reverse' | 'transparent', t: Teardown, around: Around): Promise<number>;
  /** Closes the connections to upstreams that carry nothing. */
  closeIdle(): void;
}

/** What a port needs of its gate; the transparent one needs both. */
export type Gated = CallHandler & Pick<TransparentParts, 'turnAway'>;

/** Stands between a port and its gate. */
export type Around = (gate: Gated) => Gated;

/** What may be different about it. */
export interface GatePlan {
  /** Stands between a part and whoever calls it. */
  readonly wire?: <T extends object>(name: string, part: T) => T;
  /** Upstreams beside the usual one. */
  readonly origins?: readonly { readonly port: number; readonly url: string }[];
  /** `host:port` of tunnels that stay closed. */
  readonly passthrough?: readonly string[];
  /** Largest body on disk. */
  readonly spooledBytes?: number;
  /** Of everything but the gate. */
  readonly time?: Clock;
  /** How upstreams are called. */
  readonly upstream?: Partial<UpstreamSettings>;
  /** How the usual upstream answers. */
  readonly answer?: RequestListener;
  /** Hears of each request as it reaches the usual upstream. */
  readonly onReached?: () => void;
}

/** Makes the parts; they go with the test. */
export async function realGate(t: Teardown, plan: GatePlan = {}): Promise<RealGate> {
  const {
    wire = (_name, part) => part,
    origins = [],
    passthrough = [],
    spooledBytes = 1000,
    answer = echo,
  } = plan;
  const origin = await startOrigin(t, (request, response) => {
    plan.onReached?.();
    answer(request, response);
  });
  const reachable = [origin, ...origins];
  const home = await makeHome(t, { origins: reachable });
  const opened = await openLineage({ home: home.path, deadlineMs: 5000 });
  const policy = new PolicyPool({ deadline: 5000 });
  const clock = wire('clock', systemClock);
  const identity = tlsIdentities({ roots: [readFileSync(rootFile, 'utf8')] });
  const time = wire('time', plan.time ?? systemClock);
  const settings = { ...UPSTREAM_DEFAULTS, identity, ...plan.upstream };
  const upstream = new HttpUpstream(time, {
    ...settings,
    choose: wire('choose', settings.choose),
    identity: wire('identity', settings.identity),
    proxyFor: wire('proxyFor', settings.proxyFor),
  });
  t.teardown(async () => {
    upstream.close();
    await policy.close();
    await opened.close();
  });
  const activated = await policy.activate(await bundleOf(await defaultFiles()));
  if (!activated.ok) throw new Error(activated.fault);
  const observed: [keyof Observer, unknown][] = [];
  const lineage = wire('lineage', opened);
  const resolver = new VettingResolver({
    lookup: boundedLookup({ clock, timeoutMs: 1000 }),
    exceptions: reachable
      .map(({ port }) => parseException(`127.0.0.1:${port}`))
      .filter((each) => each !== undefined),
    ownPorts: () => new Set(),
    interfaces: interfaceAddresses,
  });
  const vetting = wire('resolver', resolver);
  const parts: Parts = {
    clock,
    fresh: wire('fresh', systemFresh),
    verifier: wire(
      'verifier',
      new GrantVerifier({
        ...{ suite: node, authorities: trusting(), audience: opened.origin },
        ...{ maxLifetimeSeconds: 3600, clockSkewSeconds: 30 },
      }),
    ),
    uses: wire('uses', new Uses(() => clock.wall())),
    policy: wire('policy', policy),
    trust: wire('trust', () => pass('trusted' as const)),
    leases: wire('leases', new Leases(clock)),
    lineage,
    refuser: wire(
      'refuser',
      new Refuser({
        ...{ lineage, clock, challenge: false },
        limit: wire('limit', new RecordingLimit({ burst: 1000, perSecond: 1 })),
      }),
    ),
    upstream: wire('upstream', upstream),
    observer: wire<Observer>('observer', {
      decided: (event) => void observed.push(['decided', event]),
      finished: (event) => void observed.push(['finished', event]),
      tunnelled: (event) => void observed.push(['tunnelled', event]),
      handshake: (event) => void observed.push(['handshake', event]),
      malformed: (event) => void observed.push(['malformed', event]),
      shed: (event) => void observed.push(['shed', event]),
      aggregated: (event) => void observed.push(['aggregated', event]),
    }),
    rules: wire('rules', () => ({
      ...{
        settings: 0,
        routes: placeRoutes(reachable.map(({ url }, i) => ({ prefix: `/${i}`, upstream: url }))),
        origins: new Map(),
        path: 'full',
        boundBytes: 1000,
        spooledBytes,
        boundMs: 10_000,
        passthrough: new Set(passthrough),
      },
      resolver: vetting,
    })),
    exposed: wire('exposed', () => false),
    shelf: {
      memory: wire('memory', new SharedRoom(1_000_000)),
      disk: wire('disk', new SharedRoom(1_000_000)),
      spool: wire('spool', new DiskSpool(join(home.path, 'spool'))),
      pace: wire('pace', () => undefined),
    },
  };
  const interceptor = wire(
    'interceptor',
    new Interceptor({
      authority: new CertificateAuthority(makeCertificateAuthority(systemClock.wall()), systemClock.wall),
      ...{ clock: time, handshakeMs: 5000, maxHandshakes: 10, plainAllowed: () => false },
      onFault: (event) => parts.observer.handshake(event),
    }),
  );
  const tunnels = { interceptor, splicing: { ...upstream.tunnelling, helloMs: 5000 } };
  const listener = (carrier: Carrier, gate: CallHandler): Listener =>
    new Listener({
      ...{ carrier, gate, clock: time, maxConnections: 100, maxIdleTls: 100, maxStreams: 100 },
      ...{ headMs: 10_000, keepAliveMs: 5000, agentMs: plan.upstream?.agentMs ?? 0 },
      ...(carrier === 'forward' && { tunnels }),
      onMalformed: () => undefined,
    });
  const transparent = (gate: Gated): TransparentListener =>
    new TransparentListener({
      ...{ inner: listener('transparent', gate), interceptor, clock: time, beginMs: 10_000 },
      originals: wire('originals', new OriginalDestinations(() => Promise.resolve(''))),
      passthrough: () => new Set(passthrough),
      turnAway: (connection, refusal) => gate.turnAway(connection, refusal),
    });
  const open = async (t: Teardown, port: Listener | TransparentListener): Promise<number> => {
    t.teardown(() => {
      const stopped = port.stop();
      port.destroy();
      return stopped;
    });
    return (await port.listen(0, '127.0.0.1')).port;
  };
  const listen: RealGate['listen'] = (t, instead = {}, around = (gate) => gate) =>
    open(t, listener('forward', around(new Gate<AgentExchange>({ ...parts, ...instead }))));
  const listenAs: RealGate['listenAs'] = (carrier, t, around) => {
    const gate = around(new Gate<AgentExchange>(parts));
    return open(t, carrier === 'transparent' ? transparent(gate) : listener(carrier, gate));
  };
  const closeIdle = (): void => upstream.close();
  return { home, origin, parts, observed, listen, listenAs, closeIdle };
}

/** Everything that comes back until the other side closes; the request says `Connection: close`. */
export function ask(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    socket.on('data', (chunk: string) => (heard += chunk));
    socket.on('error', () => undefined).on('close', () => resolve(heard));
    socket.write(bytes);
  });
}
