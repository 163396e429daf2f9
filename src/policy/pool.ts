/** The policy engine of the gate: it evaluates on threads that can be killed, so that main never blocks (design.md §10). */
import type { Bundle, BundleFault } from './bundle.ts';
import { Crew } from './crew.ts';
import type { BundleIdentity, Evaluation, PolicyEngine } from './decision.ts';
import { engineLimits } from './engine.ts';
import type { EngineLimits } from './engine.ts';

/** What a pool may be told. Times in milliseconds. */
export interface PoolLimits {
  /** For one evaluation, from its begin; default 250. It is killed then, or at most a fifth later. */
  readonly deadline: number;
  /** For loading a bundle; default 10,000. */
  readonly loading: number;
  readonly engine: EngineLimits;
}

/** The usual limits. */
const poolLimits: PoolLimits = { deadline: 250, loading: 10_000, engine: engineLimits };

/** Whether a bundle became the active one. */
export type Activation = { readonly ok: true; readonly identity: BundleIdentity } | BundleFault;

/** Holds the active bundle's threads. */
export class PolicyPool implements PolicyEngine {
  readonly #limits: PoolLimits;
  #active: { readonly crew: Crew; readonly bundle: Bundle } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(limits: Partial<PoolLimits> = {}) {
    this.#limits = { ...poolLimits, ...limits };
  }

  get active(): BundleIdentity | undefined {
    return this.#active?.bundle.identity;
  }

  get content(): Bundle['content'] {
    return this.#active?.bundle.content ?? [];
  }

  decide(inputText: string): Promise<Evaluation | undefined> {
    return this.#active?.crew.decide(inputText) ?? Promise.resolve(undefined);
  }

  /**
   * Opens a bundle in threads of its own and makes it the active one; the one before it stays active where that fails.
   * Calls keep the bundle they began with. Activations happen one after the other, in the order they were asked for;
   * `record` comes between, once the bundle is known to be good: it decides nothing before that resolves.
   */
  activate(bundle: Bundle, record: () => Promise<unknown> = () => Promise.resolve()): Promise<Activation> {
    const activation = this.#last.then(() => this.#activate(bundle, record));
    this.#last = activation;
    return activation;
  }

  /** Ends every thread; what is still owed is refused, and from then on there is no active policy. */
  async close(): Promise<void> {
    this.#closed = true;
    const { crew } = this.#active ?? {};
    this.#active = undefined;
    await crew?.close();
    await this.#last;
  }

  async #activate(bundle: Bundle, record: () => Promise<unknown>): Promise<Activation> {
    const { engine, deadline, loading } = this.#limits;
    const crew = new Crew({ bundle, engine, deadline, loading });
    const opened = this.#closed ? 'the policy engine was closed' : await crew.open();
    const fault = opened ?? (await record().then(nothing, notOnRecord));
    if (fault !== undefined || this.#closed) {
      await crew.close();
      return { ok: false, fault: fault ?? 'the policy engine was closed' };
    }
    const before = this.#active;
    this.#active = { crew, bundle };
    before?.crew.retire();
    return { ok: true, identity: bundle.identity };
  }
}

function nothing(): undefined {
  return undefined;
}

function notOnRecord(cause: unknown): string {
  return `it could not be put on record: ${String(cause)}`;
}
