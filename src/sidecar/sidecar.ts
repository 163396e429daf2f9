/** A sidecar that runs: how it is asked, reloaded and stopped. `start.ts` wires it. */
import { rmSync } from 'node:fs';
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import type { Reloaded } from '../console/operator.ts';
import type { Readiness } from '../console/readiness.ts';
import type { ConsoleServer } from '../console/server.ts';
import type { Leases } from '../gate/lease.ts';
import type { RecordingLimit } from '../gate/recording-limit.ts';
import type { InputKeeper } from '../lineage/inputs.ts';
import { LineageUnavailable } from '../lineage/lineage.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { HttpUpstream } from '../proxy/upstream/upstream.ts';
import { watchClock } from './clock-watch.ts';
import { urlOf } from './listeners.ts';
import type { ListenerName, OpenListener } from './listeners.ts';
import { refusalsEntry } from './entries.ts';
import type { Standing } from './standing.ts';
import type { Timestamping } from './timestamping.ts';
import type { UseKeeper } from './use-keeper.ts';
import type { Witnessing } from './witnessing.ts';

const AGGREGATE_MS = 10_000;
const CUT_MS = 500;

/** A sidecar that runs. Made by `startSidecar`. */
export class Sidecar {
  readonly #parts: SidecarParts;
  #stopping: Promise<void> | undefined;
  #cancelAggregate: () => void = () => undefined;
  readonly #unwatchClock: () => void;
  #aggregating: Promise<boolean> | undefined;
  #since = new Date(systemClock.wall()).toISOString();

  constructor(parts: SidecarParts) {
    this.#parts = parts;
    this.#aggregateLater();
    this.#unwatchClock = watchClock(systemClock, parts.readiness, parts.log);
  }

  /** `<name>/<16 hex>`: the log's identity, and the audience of grants by default. */
  get origin(): string {
    return this.#parts.lineage.origin;
  }

  /** `http://host:port` of each listener that is on. */
  get urls(): Readonly<Partial<Record<ListenerName, string>>> {
    const { listeners, admin } = this.#parts;
    const urls = listeners.map(({ carrier, url }) => [carrier, url] as const);
    return { ...Object.fromEntries(urls), ...(admin ? { admin: urlOf(admin.host, admin.port) } : {}) };
  }

  get readiness(): Readiness {
    return this.#parts.readiness;
  }

  /** What calls are decided by: `writ dev` activates policies in it as they are saved. */
  get standing(): Standing {
    return this.#parts.standing;
  }

  get lineage(): Lineage {
    return this.#parts.lineage;
  }

  /** Settings, authorities and policy anew. What is faulty leaves the old in force, but for authorities (fail closed). */
  reload(): Promise<Reloaded> {
    return this.#parts.reload();
  }

  /** Calls back when the log cannot record any more, or a witness contradicts it: deny for a moment, then stop. */
  onFailure(listener: (cause: Error) => void): void {
    this.#parts.lineage.onFailure(listener);
    this.#parts.witnessing.onFailure(listener);
  }

  /** No new calls; running ones end within the grace period or are cut; all of it on record. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends every running call now. */
  cut(): void {
    this.#parts.leases.endWhere(() => true, 'lease_stopped');
  }

  async #stop(): Promise<void> {
    const { readiness, listeners, leases, settings, log, upstream } = this.#parts;
    readiness.stop();
    this.#cancelAggregate();
    this.#unwatchClock();
    log.info('stopping', { running: leases.size });
    const idle = Promise.all(listeners.map(({ listener }) => listener.stop()));
    const finished = await within(idle, settings.stop.grace_seconds * 1000);
    if (!finished) this.cut();
    if (!finished && !(await within(idle, CUT_MS))) for (const { listener } of listeners) listener.destroy();
    await idle;
    upstream.close();
    await this.#close();
    log.info('stopped');
  }

  /** Rejects where something could not be closed; everything else is let go all the same, the log first of all. */
  async #close(): Promise<void> {
    const { lineage, inputs, keeper, admin, run } = this.#parts;
    try {
      await this.#closeDecisions().finally(() => lineage.close());
    } finally {
      await inputs?.close();
      await keeper.close();
      await admin?.close();
      rmSync(run, { force: true });
    }
  }

  /** What still writes to the log, or asks for what stands in it. */
  async #closeDecisions(): Promise<void> {
    const { settings, log, limit, standing, witnessing, timestamping } = this.#parts;
    if (!(await within(this.#aggregate(), settings.lineage.deadline_ms)))
      log.warn('counts of denials are lost', { counts: JSON.stringify(limit.counts) });
    await Promise.all([witnessing.close(), timestamping.close()]);
    await standing.close();
  }

  #aggregateLater(): void {
    this.#cancelAggregate = systemClock.after(AGGREGATE_MS, () => {
      if (this.#parts.lineage.condition.room !== 'none') void this.#aggregate();
      void this.#parts.keeper.look();
      this.#aggregateLater();
    });
  }

  /** What was denied and only counted goes on record as counts. Those that do not go there are kept for the next time. */
  #aggregate(): Promise<boolean> {
    this.#aggregating ??= this.#recordCounts().finally(() => (this.#aggregating = undefined));
    return this.#aggregating;
  }

  async #recordCounts(): Promise<boolean> {
    const { limit, lineage } = this.#parts;
    const { counts } = limit;
    if (!counts) return true;
    const until = new Date(systemClock.wall()).toISOString();
    try {
      await lineage.append({ ...refusalsEntry(counts, this.#since, until), patient: true });
    } catch (cause) {
      if (!(cause instanceof LineageUnavailable)) throw cause;
      return false; // its failure is heard elsewhere
    }
    limit.recorded(counts);
    this.#since = until;
    return true;
  }
}

/** What a running sidecar holds. */
export interface SidecarParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly lineage: Lineage;
  readonly inputs: InputKeeper | undefined;
  readonly readiness: Readiness;
  readonly standing: Standing;
  readonly leases: Leases;
  readonly limit: RecordingLimit;
  readonly upstream: HttpUpstream;
  readonly listeners: readonly OpenListener[];
  readonly admin: ConsoleServer | undefined;
  readonly keeper: UseKeeper;
  readonly witnessing: Witnessing;
  readonly timestamping: Timestamping;
  readonly reload: () => Promise<Reloaded>;
  /** Path of `run.json`. */
  readonly run: string;
}

/** Whether a promise resolves, with anything but false, within so many milliseconds. */
function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    promise.then((value) => resolve(value !== false), reject).finally(() => clearTimeout(timer));
  });
}
