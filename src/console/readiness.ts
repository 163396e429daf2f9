/** Whether this sidecar may let calls pass: false until everything it rests on was verified good. */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { DenialCode } from '../denial/table.ts';

/** What readiness rests on. */
export const READY_PARTS = ['keys', 'policy', 'log', 'witnesses', 'listeners'] as const;

/** One of them. */
export type ReadyPart = (typeof READY_PARTS)[number];

/** `unknown` until it was looked at. */
export type PartState = 'unknown' | 'good' | 'bad';

/**
 * What an operator should look at while calls still pass: `log_space_low`, the log's disk fills; `witness_quorum_pending`,
 * too few witnesses cosigned when they were last asked; `timestamp_pending`, no good timestamp came when one was last asked
 * for; `clock_set_back`, the machine's clock was.
 */
export type Alarm = 'log_space_low' | 'witness_quorum_pending' | 'timestamp_pending' | 'clock_set_back';

/** Readiness as it is shown to anyone: states only, no reasons. */
export interface ReadinessReport {
  readonly ready: boolean;
  readonly stopping: boolean;
  readonly parts: Readonly<Record<ReadyPart, PartState>>;
  readonly alarms: readonly Alarm[];
}

interface PartStanding {
  readonly state: PartState;
  readonly why: string;
  /** By which calls are denied meanwhile. */
  readonly code: DenialCode;
}

/** The state of every part. */
export class Readiness {
  readonly #states = new Map<ReadyPart, PartStanding>();
  readonly #alarms = new Set<Alarm>();
  readonly #listeners = new Set<(report: ReadinessReport) => void>();
  #stopping = false;

  /** Verified good. */
  good(part: ReadyPart): void {
    this.#change(part, { state: 'good', why: '', code: 'not_trusted' });
  }

  /** Not good any more, or never was. `why` is for the operator only; `code` is the agents' denial. */
  bad(part: ReadyPart, why: string, code: DenialCode = 'not_trusted'): void {
    this.#change(part, { state: 'bad', why, code });
  }

  /** Raises an alarm, or takes it back. It stops nothing. */
  alarm(alarm: Alarm, raised: boolean): void {
    if (this.#alarms.has(alarm) === raised) return;
    if (raised) this.#alarms.add(alarm);
    else this.#alarms.delete(alarm);
    this.#tell();
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
      witnesses: this.#stateOf('witnesses'),
      listeners: this.#stateOf('listeners'),
    };
    return { ready: this.ready, stopping: this.#stopping, parts, alarms: [...this.#alarms] };
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
    const [first] = missing;
    if (first === undefined) return pass('trusted');
    const code = this.#states.get(first)?.code ?? 'not_trusted';
    return deny(code, `not verified good: ${missing.join(', ')}`);
  }

  /** Calls back at every change. */
  onChange(listener: (report: ReadinessReport) => void): void {
    this.#listeners.add(listener);
  }

  #stateOf(part: ReadyPart): PartState {
    return this.#states.get(part)?.state ?? 'unknown';
  }

  #change(part: ReadyPart, standing: PartStanding): void {
    const before = this.#states.get(part);
    this.#states.set(part, standing);
    if (before?.state !== standing.state || before.why !== standing.why) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.report());
  }
}
