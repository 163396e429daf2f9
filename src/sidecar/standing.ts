/** What calls are decided by right now: settings, authorities, policy, rules; on record before it is in force. */
import { originRules, placeRoutes } from '../call/route.ts';
import type { Log } from '../config/log.ts';
import { readText } from '../config/read-text.ts';
import type { Settings } from '../config/schema.ts';
import type { Readiness } from '../console/readiness.ts';
import type { Leases } from '../gate/lease.ts';
import type { Clock, Resolver } from '../gate/outside.ts';
import type { Rules } from '../gate/rules.ts';
import { Authorities, pairName } from '../grant/authorities.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { UsableBundle } from '../policy/bundle.ts';
import type { PolicyPool } from '../policy/pool.ts';
import { parseException, routeException } from '../proxy/address/exception.ts';
import type { Exception } from '../proxy/address/exception.ts';
import { ActivePolicy } from './active-policy.ts';
import { passthroughPlaces, settingsEntry, spellAllowed } from './entries.ts';
import { applyLive, needRestart } from './reload.ts';

/** What a standing is made of. */
export interface StandingParts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly lineage: Pick<Lineage, 'append'>;
  readonly readiness: Readiness;
  readonly log: Log;
  /** End where the authority that they rest on is not trusted any more. */
  readonly leases: Leases;
  /** Policies come by `activate` alone; the bundle that the settings name is not read. */
  readonly activateOnly: boolean;
  /** Thumbprints of the sidecar's own keys. */
  readonly keys: { readonly ca: string; readonly receipt: string; readonly log: string };
  /** The resolver that heeds these exceptions. */
  resolver(exceptions: readonly Exception[]): Resolver;
}

/** The rules in force, and how they change. Reloads happen one after the other; only trust is withdrawn at once. */
export class Standing {
  readonly authorities = new Authorities();
  readonly #parts: StandingParts;
  readonly #policy: ActivePolicy;
  #settings: Settings;
  #rules: Rules | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#policy = new ActivePolicy({ ...parts, limits: parts.settings.policy, home: parts.settings.home });
  }

  /** Those in force. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Throws before `begin` is over: no call can come before the listeners, which come last. */
  get rules(): Rules {
    if (!this.#rules) throw new Error('no rules are in force yet');
    return this.#rules;
  }

  get policy(): PolicyPool {
    return this.#policy.pool;
  }

  /** First loading. A faulty policy or list of authorities closes the gate, and is said; the process goes on. */
  async begin(): Promise<void> {
    this.#withdraw(this.#settings.grant.authorities);
    const fault = await this.#loadPolicy(this.#settings, 'start');
    if (fault !== undefined) this.#parts.readiness.bad('policy', fault);
    await this.#adopt(this.#settings);
  }

  /**
   * Takes new settings, or keeps the old where there are none, and reads authorities and policy again. Answers what is
   * wrong, and what is wrong leaves the old in force; but withdrawn trust ends before this returns, whatever else a reload
   * has to wait for.
   */
  reload(wanted: Settings | undefined): Promise<readonly string[]> {
    const fault = this.#withdraw((wanted ?? this.#settings).grant.authorities);
    const reloading = this.#last.then(() => this.#reload(wanted, fault));
    this.#last = reloading.catch(() => undefined); // whoever asked hears of it
    return reloading;
  }

  /** Makes a bundle the active one (`writ dev --policy`). Every decision names the bundle it came from. */
  activate(bundle: UsableBundle, by: 'start' | 'reload'): Promise<string | undefined> {
    return this.#policy.activate(bundle, by);
  }

  close(): Promise<void> {
    return this.#policy.close();
  }

  async #reload(
    wanted: Settings | undefined,
    authoritiesFault: string | undefined,
  ): Promise<readonly string[]> {
    const settings = wanted ? this.#applied(wanted) : this.#settings;
    const policyFault = await this.#loadPolicy(settings, 'reload');
    const unrecorded = await this.#adopt(settings).then(
      () => undefined,
      (cause: unknown) => `the new settings are not on record, and not in force: ${String(cause)}`,
    );
    return [authoritiesFault, policyFault, unrecorded].filter((fault) => fault !== undefined);
  }

  #applied(wanted: Settings): Settings {
    const waiting = needRestart(this.#settings, wanted);
    if (waiting.length > 0)
      this.#parts.log.warn('changed settings that wait for a restart', { settings: waiting });
    return applyLive(this.#settings, wanted);
  }

  /**
   * Reads who may sign grants. Whom the list does not name any more is not trusted from here on, and what runs under them
   * ends; an unreadable list closes the gate. Whom it names anew is trusted once that is on record.
   */
  #withdraw(path: string): string | undefined {
    const fault = this.authorities.withdraw(readText(path));
    const trusted = new Set(this.authorities.pairs.map(({ iss, key }) => pairName(iss, key)));
    this.#parts.leases.endWhere(({ authority }) => !trusted.has(authority), 'grant_unknown_key');
    if (fault === undefined) return undefined;
    this.#parts.readiness.bad('keys', `${path}: ${fault}`);
    this.#parts.log.error('the list of authorities closes the gate', { path, fault });
    return `${path}: ${fault}`;
  }

  async #loadPolicy({ policy }: Settings, by: 'start' | 'reload'): Promise<string | undefined> {
    return this.#parts.activateOnly ? undefined : this.#policy.load(policy.bundle, by);
  }

  /** Puts settings and authorities on record, then in force. */
  async #adopt(settings: Settings): Promise<void> {
    const { lineage, keys, resolver } = this.#parts;
    const { announced, pairs } = this.authorities;
    const isNew = settings !== this.#settings || !this.#rules || announced.length > pairs.length;
    if (!isNew) return this.#vouch(); // who was withdrawn is gone already
    const routes = placeRoutes(settings.routes);
    const recorded = await lineage.append(settingsEntry(settings, { ...keys, authorities: announced }));
    this.authorities.admit(announced);
    this.#vouch();
    this.#settings = settings;
    const exceptions = [
      ...settings.upstream.allow.flatMap((allowed) => parseException(spellAllowed(allowed)) ?? []),
      ...routes.map(({ place }) => routeException(place)),
    ];
    this.#rules = {
      settings: recorded.seq,
      routes,
      origins: originRules(routes),
      path: settings.lineage.path,
      passthrough: new Set(passthroughPlaces(settings)),
      boundBytes: settings.limits.max_bound_body_bytes,
      spooledBytes: settings.limits.max_spooled_body_bytes,
      boundMs: settings.limits.bound_body_timeout_ms,
      resolver: resolver(exceptions),
    };
  }

  #vouch(): void {
    if (this.authorities.fault === undefined) this.#parts.readiness.good('keys');
  }
}
