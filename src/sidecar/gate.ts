/** The gate as this sidecar's settings want it. */
import type { Settings } from '../config/schema.ts';
import { systemClock, systemFresh } from '../config/system.ts';
import type { Readiness } from '../console/readiness.ts';
import { node } from '../crypto/node.ts';
import { Gate } from '../gate/gate.ts';
import type { Leases } from '../gate/lease.ts';
import type { Observer } from '../gate/observer.ts';
import type { RecordingLimit } from '../gate/recording-limit.ts';
import { Refuser } from '../gate/refuser.ts';
import { SharedRoom } from '../gate/shared-room.ts';
import type { Uses } from '../grant/uses.ts';
import { GrantVerifier } from '../grant/verify.ts';
import type { InputKeeper } from '../lineage/inputs.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { AgentExchange } from '../proxy/agent/exchange.ts';
import { ReadingPace } from '../proxy/reading-pace.ts';
import { Scavenger } from '../proxy/scavenger.ts';
import { DiskSpool } from '../proxy/spool.ts';
import type { HttpUpstream } from '../proxy/upstream/upstream.ts';
import type { Exposure } from './exposure.ts';
import type { Standing } from './standing.ts';

const CLOCK_SKEW_SECONDS = 30;

/** What the gate of one sidecar is made of. */
export interface GateStuff {
  readonly inputs: InputKeeper | undefined;
  readonly settings: Settings;
  readonly standing: Standing;
  readonly lineage: Lineage;
  readonly readiness: Readiness;
  readonly uses: Uses;
  readonly leases: Leases;
  readonly limit: RecordingLimit;
  readonly upstream: HttpUpstream;
  readonly observer: Observer;
  readonly exposure: Exposure;
}

/** The gate with its verifier, its shelf for bodies and whoever refuses. */
export function makeGate({
  settings,
  standing,
  lineage,
  readiness,
  limit,
  exposure,
  inputs,
  ...rest
}: GateStuff): Gate<AgentExchange> {
  const kept = inputs ? { inputs } : {};
  const scavenger = new Scavenger();
  const pace = new ReadingPace();
  return new Gate<AgentExchange>({
    ...rest,
    lineage,
    clock: systemClock,
    fresh: systemFresh,
    verifier: new GrantVerifier({
      suite: node,
      authorities: standing.authorities,
      audience: settings.grant.audience ?? lineage.origin,
      origin: lineage.origin,
      maxLifetimeSeconds: settings.grant.max_lifetime_seconds,
      clockSkewSeconds: CLOCK_SKEW_SECONDS,
    }),
    policy: standing.policy,
    trust: () => readiness.trust(),
    shelf: {
      memory: new SharedRoom(settings.limits.max_held_bytes),
      disk: new SharedRoom(settings.limits.max_spool_bytes),
      spool: new DiskSpool(settings.limits.spool),
      pace: (agent, bytes, written) => {
        scavenger.count(bytes);
        return pace.take(agent, bytes, written);
      },
    },
    ...kept,
    refuser: new Refuser({
      ...kept,
      lineage,
      clock: systemClock,
      limit,
      challenge: settings.proxy.challenge,
    }),
    rules: () => standing.rules,
    exposed: () => exposure.exposed,
  });
}
