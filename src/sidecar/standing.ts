/** What calls are decided by right now: settings, authorities, policy, rules; on record before it is in force. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { originRules, placeRoutes } from '../call/route.ts';
import type { Readiness } from '../console/readiness.ts';
import type { Leases } from '../gate/lease.ts';
import type { Resolver } from '../gate/outside.ts';
import type { Rules } from '../gate/rules.ts';
import { Authorities, pairName } from '../grant/authorities.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { loadBundle } from '../policy/bundle.ts';
import type { UsableBundle } from '../policy/bundle.ts';
import { engineLimits } from '../policy/engine.ts';
import { PolicyPool } from '../policy/pool.ts';
import { parseException, routeException } from '../proxy/exception.ts';
import type { Exception } from '../proxy/exception.ts';
import { policyEntry, settingsEntry, spellAllowed } from './entries.ts';
import { keepPolicy } from './keep-policy.ts';
import { applyLive, needRestart, readText } from './reload.ts';

/** What a standing is made of. */
export interface StandingParts {
  readonly settings: Settings;
  readonly lineage: Lineage;
  readonly readiness: Readiness;
  readonly log: Log;
  /** End where the authority that they rest on is not trusted any more. */
  readonly leases: Leases;
  /** Policies come by `activate` alone; the bundle that the settings name is not read. */
  readonly activateOnly: boolean;
  /** Thumbprints of the sidecar's own keys. */
  readonly keys: { readonly receipt: string; readonly log: string };
  /** The resolver that heeds these exceptions. */
  resolver(exceptions: readonly Exception[]): Resolver;
}

/** The rules in force, and how they change. */
export class Standing {
  readonly authorities = new Authorities();
  readonly policy: PolicyPool;
  readonly #parts: StandingParts;
  #settings: Settings;
  #rules: Rules | undefined;

  constructor(parts: StandingParts) {
    const { deadline_ms, max_input_bytes } = parts.settings.policy;
    this.#parts = parts;
    this.#settings = parts.settings;
    this.policy = new PolicyPool({
      deadline: deadline_ms,
      engine: { ...engineLimits, inputBytes: max_input_bytes },
    });
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Throws before `begin` is over: no call can come before the listeners, which come last. */
  get rules(): Rules {
    if (!this.#rules) throw new Error('no rules are in force yet');
    return this.#rules;
  }

  /** First loading. A faulty policy or list of authorities closes the gate, and is said; the process goes on. */
  async begin(): Promise<void> {
    this.loadAuthorities();
    const fault = await this.loadPolicy('start');
    if (fault !== undefined) this.#parts.readiness.bad('policy', fault);
    await this.#adopt(this.#settings);
  }

  /** Takes new settings, re-reads authorities and policy. Answers what is wrong; what is wrong leaves the old in force. */
  async reload(wanted: Settings): Promise<readonly string[]> {
    const waiting = needRestart(this.#settings, wanted);
    if (waiting.length > 0)
      this.#parts.log.warn('changed settings that wait for a restart', { settings: waiting });
    this.#settings = applyLive(this.#settings, wanted);
    const faults = [this.loadAuthorities(), await this.loadPolicy('reload')].filter(
      (fault) => fault !== undefined,
    );
    await this.#adopt(this.#settings);
    return faults;
  }

  /**
   * Reads who may sign grants. Withdrawn trust is never kept: what runs under it ends before anything else happens, and
   * an unreadable list closes the gate. Also called where settings are faulty.
   */
  loadAuthorities(): string | undefined {
    const path = this.#settings.grant.authorities;
    const fault = this.authorities.load(readText(path));
    const trusted = new Set(this.authorities.pairs.map(({ iss, key }) => pairName(iss, key)));
    this.#parts.leases.endWhere(({ authority }) => !trusted.has(authority), 'grant_unknown_key');
    if (fault === undefined) this.#parts.readiness.good('keys');
    else {
      this.#parts.readiness.bad('keys', `${path}: ${fault}`);
      this.#parts.log.error('the list of authorities closes the gate', { path, fault });
    }
    return fault && `${path}: ${fault}`;
  }

  /** Opens the bundle of the settings and makes it the active one; undefined where that went well. */
  async loadPolicy(by: 'start' | 'reload'): Promise<string | undefined> {
    if (this.#parts.activateOnly) return undefined;
    const loaded = await loadBundle(this.#settings.policy.bundle);
    if (loaded.ok) return this.activate(loaded, by);
    return this.#policyFault(loaded.fault);
  }

  /** Makes a bundle the active one. Every decision names the bundle it came from; this entry says what brought it. */
  async activate({ bundle, files }: UsableBundle, by: 'start' | 'reload'): Promise<string | undefined> {
    if (this.policy.active?.digest === bundle.identity.digest) return undefined;
    const activated = await this.policy.activate(bundle);
    if (!activated.ok) return this.#policyFault(activated.fault);
    await keepPolicy(this.#settings.home, bundle.identity.digest, files).catch((cause: unknown) =>
      this.#parts.log.warn('policy is not kept for replay', { cause: String(cause) }),
    );
    await this.#parts.lineage.append(policyEntry(bundle.identity, by));
    this.#parts.readiness.good('policy');
    this.#parts.log.info('policy is active', {
      revision: bundle.identity.revision,
      digest: bundle.identity.digest,
    });
    return undefined;
  }

  close(): Promise<void> {
    return this.policy.close();
  }

  #policyFault(fault: string): string {
    const kept = this.policy.active;
    this.#parts.log.error('policy cannot be used', { fault, kept: kept?.revision ?? 'none' });
    return fault;
  }

  async #adopt(settings: Settings): Promise<void> {
    const { lineage, keys, resolver } = this.#parts;
    const routes = placeRoutes(settings.routes);
    const recorded = await lineage.append(
      settingsEntry(settings, { ...keys, authorities: this.authorities.pairs }),
    );
    const exceptions = [
      ...settings.upstream.allow.flatMap((allowed) => parseException(spellAllowed(allowed)) ?? []),
      ...routes.map(({ place }) => routeException(place)),
    ];
    this.#rules = {
      settings: recorded.seq,
      routes,
      origins: originRules(routes),
      tier: 'cooperative',
      path: settings.lineage.path,
      boundBytes: settings.limits.max_bound_body_bytes,
      spooledBytes: settings.limits.max_spooled_body_bytes,
      resolver: resolver(exceptions),
    };
  }
}
