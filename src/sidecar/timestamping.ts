/** A running sidecar and its time-stamping authority: when it is asked, and what is said of that. Nothing waits for it. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import type { Readiness } from '../console/readiness.ts';
import { encodeUtf8 } from '../crypto/bytes.ts';
import { parseHead } from '../lineage/checkpoint.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { parseNote } from '../lineage/note.ts';
import { keepTimestamp, newestTimestamp } from '../lineage/timestamp/client.ts';
import type { TimestampReport } from '../lineage/timestamp/timestamp.ts';
import { fetchTimestamp } from './timestamp-post.ts';

/** What it is made of. */
export interface TimestampingParts {
  readonly settings: Settings['timestamp'];
  /** Where timestamps are kept. */
  readonly folder: string;
  readonly lineage: Pick<Lineage, 'checkpoint'>;
  readonly readiness: Pick<Readiness, 'alarm'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly clock: typeof systemClock;
}

/** The one of a sidecar with these settings. */
export function makeTimestamping(
  parts: Pick<TimestampingParts, 'lineage' | 'readiness' | 'log'> & { readonly settings: Settings },
): Timestamping {
  const { settings, ...rest } = parts;
  const folder = layoutOf(settings.home).timestamps;
  return new Timestamping({ ...rest, settings: settings.timestamp, folder, clock: systemClock });
}

const MS = 1000;
/** An authority that failed is asked again so soon. */
const RETRY_MS = 60_000;

/** Asks from `begin` to `close`, where the settings name an authority. */
export class Timestamping {
  readonly #parts: TimestampingParts;
  readonly #closing = new AbortController();
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  /** The checkpoint of the newest timestamp. */
  #note = '';
  #report: TimestampReport;

  constructor(parts: TimestampingParts) {
    this.#parts = parts;
    this.#report = { said: 'unasked', size: 0, since: parts.clock.wall() };
  }

  /** For the operator and metrics; undefined where no authority is asked. */
  report(): TimestampReport | undefined {
    return this.#parts.settings.url === null ? undefined : this.#report;
  }

  /** Begins to ask: at once, or an interval after the newest timestamp that an earlier process kept. */
  begin(): void {
    const { settings, folder, clock } = this.#parts;
    if (settings.url === null) return;
    const known = newestTimestamp(folder);
    if (!known) return this.#askIn(0);
    this.#note = known.note;
    this.#report = { said: 'unasked', size: known.size, since: known.keptAt };
    const intervalMs = settings.interval_seconds * MS;
    this.#askIn(Math.min(intervalMs, Math.max(0, known.keptAt + intervalMs - clock.wall())));
  }

  /** No more questions; the one that is being asked is given up. */
  async close(): Promise<void> {
    this.#cancel();
    this.#closing.abort();
    await this.#running;
  }

  #askIn(milliseconds: number): void {
    if (this.#closing.signal.aborted) return;
    this.#cancel = this.#parts.clock.after(milliseconds, () => {
      this.#running = this.#ask().catch((cause: unknown) => this.#failed('not_kept', String(cause)));
      void this.#running.then(() => this.#askIn(this.#pauseMs()));
    });
  }

  #pauseMs(): number {
    const intervalMs = this.#parts.settings.interval_seconds * MS;
    return this.#report.said === 'granted' ? intervalMs : Math.min(RETRY_MS, intervalMs);
  }

  async #ask(): Promise<void> {
    const { settings, folder, lineage, clock } = this.#parts;
    const { url, roots, policy_oid: policy, timeout_ms: timeoutMs } = settings;
    if (url === null || roots === null) return; // the settings were checked
    const note = await lineage.checkpoint();
    const size = parseHead(parseNote(note)?.text ?? '')?.size ?? 0;
    if (note === this.#note) return this.#held({ ...this.#report, since: clock.wall() });
    const until = this.#closing.signal;
    const answer = await fetchTimestamp(encodeUtf8(note), { url, roots, policy, timeoutMs, until });
    if (until.aborted) return;
    if (!answer.ok) return this.#failed(answer.code, answer.detail);
    await keepTimestamp(folder, { size, note }, answer.response);
    this.#note = note;
    this.#held({ said: 'granted', size, since: clock.wall(), ...answer.value });
  }

  #held(report: TimestampReport): void {
    const { log, readiness } = this.#parts;
    const { size, by } = report;
    if (this.#report.said !== 'granted') log.info('checkpoints are timestamped', { size, by });
    this.#report = { ...report, said: 'granted' };
    readiness.alarm('timestamp_pending', false);
  }

  /** Said once, until it is good again: an authority can be away for long. */
  #failed(said: TimestampReport['said'], why: string): void {
    const { log, readiness } = this.#parts;
    const isNews = this.#report.said === 'granted' || this.#report.said === 'unasked';
    if (isNews) log.warn('checkpoints are not timestamped', { said, why });
    const { size, since } = this.#report;
    this.#report = { said, why, size, since };
    readiness.alarm('timestamp_pending', true);
  }
}
