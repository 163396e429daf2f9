/** Wires one sidecar from the rooms: what `writ serve` and `writ dev` run. */
import type { Hono } from 'hono';
import type { Log } from '../config/log.ts';
import { settingsDigest } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import { Metrics } from '../console/metrics.ts';
import type { Reloaded } from '../console/operator.ts';
import { Readiness } from '../console/readiness.ts';
import { Leases } from '../gate/lease.ts';
import type { Observer } from '../gate/observer.ts';
import { RecordingLimit } from '../gate/recording-limit.ts';
import { Uses } from '../grant/uses.ts';
import { replaceFile } from '../lineage/durable.ts';
import { readIdentity } from '../lineage/identity.ts';
import type { LogIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { openLineage } from '../lineage/open.ts';
import { recallLog } from '../lineage/witness/recall.ts';
import type { CertificateAuthority } from '../proxy/tunnel/certificate-authority.ts';
import { openAdmin } from './admin.ts';
import { openListeners } from './listeners.ts';
import type { OpenListener } from './listeners.ts';
import { Distrust } from './distrust.ts';
import { Exposure } from './exposure.ts';
import { makeGate } from './gate.ts';
import { homeLayout, openToOthers } from './home.ts';
import { makeInputKeeper } from './inputs.ts';
import { spaceRules, watchLog } from './log-watch.ts';
import { joinObservers, logObserver } from './observers.ts';
import { recount } from './recount.ts';
import { Sidecar } from './sidecar.ts';
import { Standing } from './standing.ts';
import { keepThreadHeapsSmall } from './thread-heaps.ts';
import { readTlsAuthority } from './tls-authority.ts';
import { makeTimestamping } from './timestamping.ts';
import type { Timestamping } from './timestamping.ts';
import { makeResolver, makeUpstream } from './upstream.ts';
import { UpstreamAccess } from './upstream-access.ts';
import { readUpstreamFiles } from './upstream-files.ts';
import { UseKeeper } from './use-keeper.ts';
import { postToWitness } from './witness-post.ts';
import { makeWitnessing, witnessTargets } from './witnessing.ts';
import type { Witnessing } from './witnessing.ts';

/** What a sidecar is started with. */
export interface SidecarOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly version: string;
  /** It is known that agent and sidecar share a uid; else it is found out when the agent connects. */
  readonly exposed: boolean;
  /** Who else watches, such as the live list of `writ dev`. */
  readonly observers?: readonly Partial<Observer>[];
  /** New settings for a reload, or what is wrong with them. */
  readonly reread: () =>
    | { readonly ok: true; readonly settings: Settings }
    | { readonly ok: false; readonly faults: readonly string[] };
  /** Policies come by `standing.activate` alone (`writ dev --policy`): until the first one, every call is denied. */
  readonly activateOnly?: boolean;
  /** The embedded authority (`writ dev` only), given the log that records what it issues. */
  readonly authority?: (lineage: Lineage) => Hono;
}

/**
 * Starts a sidecar. Rejects with `LogFault` (the log is missing, locked or damaged) or `PortUnavailable`; a faulty
 * policy or list of authorities does not stop it: it runs, is not ready, and denies with proof.
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { settings, log } = options;
  keepThreadHeapsSmall();
  tellOpenHome(settings.home, log);
  const targets = witnessTargets(settings);
  if (targets.length > 0) await recallLog({ layout: layoutOf(settings.home), targets, post: postToWitness });
  const lineage = await openLineage({
    home: settings.home,
    deadlineMs: settings.lineage.deadline_ms,
    segmentBytes: settings.lineage.segment_bytes,
    segmentSeconds: settings.lineage.segment_seconds,
    space: spaceRules(settings.lineage),
  });
  try {
    return await assemble(options, lineage);
  } catch (cause) {
    await lineage.close().catch(() => undefined); // what went wrong first is what is said
    throw cause;
  }
}

/** It starts all the same: what others have read by now, no refusal takes back. */
function tellOpenHome(home: string, log: Log): void {
  const open = openToOthers(home);
  if (!open) return;
  const { first: file, more, remedy } = open;
  log.warn('keys or the admin token can be read by others', { code: 'home_open', file, more, remedy });
}

async function assemble(options: SidecarOptions, lineage: Lineage): Promise<Sidecar> {
  const { settings, log } = options;
  const ground = await layGround(options, lineage);
  const { readiness, standing, leases, own, counted } = ground;
  const { recorded_burst: burst, recorded_per_second: perSecond } = settings.denial;
  const limit = new RecordingLimit({ burst, perSecond });
  const parts = { settings, log, lineage, ...ground };
  const outside = { ...makeWitnessing(parts), timestamping: makeTimestamping(parts) };
  const { served, witnessing, timestamping } = outside;
  const metrics = makeMetrics(options, { lineage, readiness, ...outside });
  const distrust = new Distrust(log);
  const observer = joinObservers([metrics, logObserver(log), distrust, ...(options.observers ?? [])], log);
  const exposure = new Exposure(options.exposed, process.getuid?.(), systemClock);
  const upstream = makeUpstream(settings, standing, ground.access);
  const inputs = makeInputKeeper(settings, log, metrics);
  const shared = { settings, standing, lineage, inputs, readiness, leases, limit, upstream };
  const gate = makeGate({ ...shared, uses: ground.uses, observer, exposure });
  const authority = options.authority?.(lineage); // it may throw: before anything listens

  const listeners = await openListeners(settings, {
    ...{ gate, observer, limit, exposure, log, upstream, tls: ground.tls },
    strangerTls: readTlsAuthority(settings.home, systemClock.wall),
    current: () => standing.settings,
  });
  const reload = (): Promise<Reloaded> => reloadFrom(options, standing, ground.access);
  const admin = await openAdmin({
    ...{ settings, log, readiness, metrics, lineage, reload, identity: ground.identity },
    served,
    status: () => ({
      ...describe(options, standing, listeners),
      distrusted: distrust.report(),
      keys_exposed: exposure.exposed,
      witnesses: witnessing.report() ?? null,
      timestamp: timestamping.report() ?? null,
    }),
    authority,
    denial: (id, asker) => gate.denial(id, asker),
    certificateAuthority: ground.tls.pem,
  }).catch(async (cause: unknown) => {
    await Promise.all(listeners.map(({ listener }) => listener.stop()));
    throw cause;
  });
  for (const { port } of [...listeners, ...(admin ? [admin] : [])]) own.add(port);
  readiness.good('listeners');

  const { run } = homeLayout(settings.home);
  const covered = counted.head.size - counted.read;
  const keeper = new UseKeeper({ home: settings.home, lineage, log, covered });
  const sidecar = new Sidecar({ ...shared, ...outside, log, listeners, admin, reload, run, keeper });
  try {
    await witnessing.begin();
    timestamping.begin();
    announce(run, { ...sidecar.urls, origin: lineage.origin });
  } catch (cause) {
    await sidecar.stop(); // it listens by now
    throw cause;
  }
  return sidecar;
}

/** Where other commands find a sidecar that runs. */
function announce(path: string, what: object): void {
  replaceFile(path, `${JSON.stringify({ ...what, pid: process.pid })}\n`);
}

/** What stands before the first listener: who is who, what was used, what calls are decided by. */
interface Ground {
  readonly identity: LogIdentity;
  readonly readiness: Readiness;
  readonly uses: Uses;
  readonly counted: ReturnType<typeof recount>;
  readonly leases: Leases;
  readonly standing: Standing;
  /** Ports of ours, which no call may reach: each is added once it is open. */
  readonly own: Set<number>;
  readonly tls: CertificateAuthority;
  readonly access: UpstreamAccess;
}

async function layGround(options: SidecarOptions, lineage: Lineage): Promise<Ground> {
  const { settings, log, activateOnly = false } = options;
  const identity = readIdentity(layoutOf(settings.home));
  const readiness = new Readiness();
  const uses = new Uses(systemClock.wall);
  const counted = recount(settings.home, uses);
  const leases = new Leases(systemClock);
  watchLog({ lineage, readiness, leases, log });
  const tls = readTlsAuthority(settings.home, systemClock.wall);
  const own = new Set<number>();
  const resolver = makeResolver(settings, own);
  const access = new UpstreamAccess(settings, resolver);
  const standing = new Standing({
    ...{ settings, lineage, readiness, log, leases, activateOnly, clock: systemClock },
    keys: { ca: tls.id, log: identity.logKey.key.id, receipt: identity.receiptKey.id },
    resolver,
  });
  await standing.begin();
  return { identity, readiness, uses, counted, leases, standing, own, tls, access };
}

interface Measured {
  readonly lineage: Lineage;
  readonly readiness: Readiness;
  readonly witnessing: Witnessing;
  readonly timestamping: Timestamping;
}

function makeMetrics({ settings, version }: SidecarOptions, measured: Measured): Metrics {
  const { witnessing, timestamping, ...rest } = measured;
  const reports = { witnesses: () => witnessing.report(), timestamp: () => timestamping.report() };
  return new Metrics({ hosts: namedHosts(settings), version, wall: systemClock.wall, ...reports, ...rest });
}

/** Faulty settings leave the old ones in force; what those name is read again all the same (fail closed). */
async function reloadFrom(
  options: SidecarOptions,
  standing: Standing,
  access: UpstreamAccess,
): Promise<Reloaded> {
  const reread = options.reread();
  const read = reread.ok ? readUpstreamFiles(reread.settings) : reread;
  const wanted = reread.ok && read.ok ? reread.settings : undefined;
  const faults = [...(read.ok ? [] : read.faults), ...(await standing.reload(wanted))];
  if ('files' in read) access.adopt(read.files);
  if (faults.length === 0) options.log.info('reloaded');
  else options.log.error('reload failed; what was faulty stays as it was', { faults });
  return faults.length === 0 ? { ok: true } : { ok: false, faults };
}

function describe(options: SidecarOptions, standing: Standing, listeners: readonly OpenListener[]): object {
  const { settings } = standing;
  return {
    version: options.version,
    settings: settingsDigest(settings),
    policy: standing.policy.active ?? null,
    authorities: standing.authorities.pairs.map(({ iss, key }) => ({ iss, key: key.id })),
    listeners: Object.fromEntries(listeners.map(({ carrier, url }) => [carrier, url])),
  };
}

/** Hosts that may stand in a metrics label: those that the operator named. */
function namedHosts({ routes, upstream }: Settings): ReadonlySet<string> {
  return new Set([
    ...routes.map((route) => new URL(route.upstream).hostname.replace(/^\[|\]$/g, '')),
    ...upstream.allow.map(({ address }) => address),
  ]);
}
