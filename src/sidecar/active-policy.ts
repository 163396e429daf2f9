/** The policy in force: on record before it decides, never an older one, and never past its maximum age. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import type { Readiness } from '../console/readiness.ts';
import type { Clock } from '../gate/outside.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { loadBundle } from '../policy/bundle.ts';
import type { UsableBundle } from '../policy/bundle.ts';
import { engineLimits } from '../policy/engine.ts';
import { PolicyPool } from '../policy/pool.ts';
import { isOlder } from '../policy/revision.ts';
import { policyEntry } from './entries.ts';
import { keepPolicy } from './keep-policy.ts';

/** What it is made of. */
export interface ActivePolicyParts {
  readonly home: string;
  readonly limits: Settings['policy'];
  readonly clock: Clock;
  readonly lineage: Pick<Lineage, 'append'>;
  readonly readiness: Readiness;
  readonly log: Log;
}

/** Activations happen one after the other. */
export class ActivePolicy {
  readonly pool: PolicyPool;
  readonly #parts: ActivePolicyParts;
  #last: Promise<unknown> = Promise.resolve();
  #forgetAge: () => void = () => undefined;

  constructor(parts: ActivePolicyParts) {
    const { deadline_ms, max_input_bytes } = parts.limits;
    this.#parts = parts;
    this.pool = new PolicyPool({
      deadline: deadline_ms,
      engine: { ...engineLimits, inputBytes: max_input_bytes },
    });
  }

  /** Opens the bundle of a folder and makes it the active one; what is wrong leaves the old one active. */
  async load(folder: string, by: 'start' | 'reload'): Promise<string | undefined> {
    const loaded = await loadBundle(folder);
    return loaded.ok ? this.activate(loaded, by) : this.#fault(loaded.fault);
  }

  /** Makes a bundle the active one; undefined where that went well, else what is wrong. */
  activate(usable: UsableBundle, by: 'start' | 'reload'): Promise<string | undefined> {
    const activation = this.#last.then(() => this.#activate(usable, by));
    this.#last = activation.catch(() => undefined); // whoever asked hears of it
    return activation;
  }

  async close(): Promise<void> {
    this.#forgetAge();
    await this.pool.close();
  }

  async #activate({ bundle, files }: UsableBundle, by: 'start' | 'reload'): Promise<string | undefined> {
    const { home, lineage, log } = this.#parts;
    const { revision, digest } = bundle.identity;
    const { active } = this.pool;
    if (active && isOlder(revision, active.revision))
      return this.#fault(`revision ${revision} is older than ${active.revision}: restart to go back`);
    if (active?.digest !== digest) {
      const record = async (): Promise<unknown> => lineage.append(policyEntry(bundle.identity, by));
      const activated = await this.pool.activate(bundle, record);
      if (!activated.ok) return this.#fault(activated.fault);
      log.info('policy is active', { revision, digest });
      await keepPolicy(home, digest, files).catch((cause: unknown) =>
        log.warn('policy is not kept for replay', { cause: String(cause) }),
      );
    }
    this.#confirm();
    return undefined;
  }

  /** What was loaded just now is good; from here on its age counts. */
  #confirm(): void {
    const { limits, clock, readiness, log } = this.#parts;
    const { max_age_seconds: most } = limits;
    readiness.good('policy');
    this.#forgetAge();
    if (most === null) return;
    this.#forgetAge = clock.after(most * 1000, () => {
      readiness.bad('policy', `not confirmed for ${most} s`);
      log.error('the policy is past its maximum age: every call is denied', { max_age_seconds: most });
    });
  }

  #fault(fault: string): string {
    this.#parts.log.error('policy cannot be used', { fault, kept: this.pool.active?.revision ?? 'none' });
    return fault;
  }
}
