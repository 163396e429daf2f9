/** Whether this sidecar may let calls pass: false until everything it rests on was verified good. */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';

/** What readiness rests on. */
export const READY_PARTS = ['keys', 'policy', 'log', 'listeners'] as const;

/** One of them. */
export type ReadyPart = (typeof READY_PARTS)[number];

/** `unknown` until it was looked at. */
export type PartState = 'unknown' | 'good' | 'bad';

/** Readiness as it is shown to anyone: states only, no reasons. */
export interface ReadinessReport {
  readonly ready: boolean;
  readonly stopping: boolean;
  readonly parts: Readonly<Record<ReadyPart, PartState>>;
}

/** The state of every part. */
export class Readiness {
  readonly #states = new Map<ReadyPart, { readonly state: PartState; readonly why: string }>();
  readonly #listeners = new Set<(report: ReadinessReport) => void>();
  #stopping = false;

  /** Verified good. */
  good(part: ReadyPart): void {
    this.#change(part, 'good', '');
  }

  /** Not good any more, or never was. `why` is for the operator only. */
  bad(part: ReadyPart, why: string): void {
    this.#change(part, 'bad', why);
  }

  /** For good: a stopping sidecar takes no new calls. */
  stop(): void {
    this.#stopping = true;
    this.#tell();
  }

  get ready(): boolean {
    return !this.#stopping && READY_PARTS.every((part) => this.#stateOf(part) === 'good');
  }

  /** For `/readyz`. */
  report(): ReadinessReport {
    const parts: Record<ReadyPart, PartState> = {
      keys: this.#stateOf('keys'),
      policy: this.#stateOf('policy'),
      log: this.#stateOf('log'),
      listeners: this.#stateOf('listeners'),
    };
    return { ready: this.ready, stopping: this.#stopping, parts };
  }

  /** Why each bad part is bad, for the operator. */
  reasons(): Readonly<Partial<Record<ReadyPart, string>>> {
    const bad = [...this.#states].filter(([, { state }]) => state === 'bad');
    return Object.fromEntries(bad.map(([part, { why }]) => [part, why]));
  }

  /** The gate's question: a call passes only while everything is good. */
  trust(): Outcome<'trusted'> {
    if (this.#stopping) return deny('stopping', 'the sidecar is stopping');
    const missing = READY_PARTS.filter((part) => this.#stateOf(part) !== 'good');
    return missing.length > 0
      ? deny('not_trusted', `not verified good: ${missing.join(', ')}`)
      : pass('trusted');
  }

  /** Calls back at every change. */
  onChange(listener: (report: ReadinessReport) => void): void {
    this.#listeners.add(listener);
  }

  #stateOf(part: ReadyPart): PartState {
    return this.#states.get(part)?.state ?? 'unknown';
  }

  #change(part: ReadyPart, state: PartState, why: string): void {
    const before = this.#states.get(part);
    this.#states.set(part, { state, why });
    if (before?.state !== state || before.why !== why) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.report());
  }
}
