/** A running sidecar and its witnesses: when they are asked, and what their answers mean for readiness. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { fileFault } from '../config/file-fault.ts';
import type { Log } from '../config/log.ts';
import { readText } from '../config/read-text.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import type { Readiness } from '../console/readiness.ts';
import { node } from '../crypto/node.ts';
import type { Leases } from '../gate/lease.ts';
import type { LogIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { LogLayout } from '../lineage/layout.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { parseNoteKey } from '../lineage/note.ts';
import { isFull, systemRemedy } from '../lineage/system-remedy.ts';
import { ServedLog } from '../lineage/tiles/served.ts';
import type { Cosigned } from '../lineage/tiles/served.ts';
import type { Witnesses } from '../lineage/witness/tlog-policy.ts';
import type { WitnessTarget } from '../lineage/witness/client.ts';
import { rolledBack } from '../lineage/witness/recall.ts';
import { WitnessRounds } from '../lineage/witness/rounds.ts';
import type { Disagreement, Round, WitnessReport } from '../lineage/witness/rounds.ts';
import { postToWitness } from './witness-post.ts';

/** Whom the settings name. */
export function witnessTargets({ witness }: Settings): readonly WitnessTarget[] {
  return witness.list.map(({ vkey, url }) => {
    const key = parseNoteKey(node, vkey);
    if (!key) throw new Error(`not a verifier key: ${vkey}`); // the settings were checked
    return { key, url };
  });
}

/** What verifiers of this log may ask for: the witnesses of the settings, and their quorum. */
export function verifiersWitnesses(settings: Settings): Witnesses {
  return { keys: witnessTargets(settings).map(({ key }) => key), quorum: settings.witness.quorum };
}

/** What a sidecar has before its witnesses are asked. */
export interface WitnessedLog {
  readonly settings: Settings;
  readonly log: Log;
  readonly lineage: Lineage;
  readonly identity: LogIdentity;
  readonly readiness: Readiness;
  readonly leases: Pick<Leases, 'endWhere'>;
}

/** Who cosigns the log, and what it shows of itself: the one needs the other's proofs, the other the one's checkpoint. */
export function makeWitnessing(parts: WitnessedLog): {
  readonly served: ServedLog;
  readonly witnessing: Witnessing;
} {
  const { settings, log, lineage, identity, readiness, leases } = parts;
  const layout = layoutOf(settings.home);
  const served: ServedLog = new ServedLog({ lineage, layout, cosigned: () => rounds.cosigned });
  const rounds = new WitnessRounds({
    logKey: identity.logKey,
    targets: witnessTargets(settings),
    quorum: settings.witness.quorum,
    post: postToWitness,
    newest: () => lineage.checkpoint(),
    consistency: (oldSize, newSize) => served.consistency(oldSize, newSize),
    clock: systemClock.wall,
  });
  const shared = { settings: settings.witness, layout, rounds, readiness, leases, log, clock: systemClock };
  return { served, witnessing: new Witnessing(shared) };
}

/** What it is made of. */
export interface WitnessingParts {
  readonly settings: Settings['witness'];
  readonly layout: LogLayout;
  readonly rounds: WitnessRounds;
  readonly readiness: Readiness;
  readonly leases: Pick<Leases, 'endWhere'>;
  readonly log: Log;
  readonly clock: typeof systemClock;
}

const MS = 1000;

/** Asks witnesses from `begin` to `close`; where the settings name none, it only says that this part is good. */
export class Witnessing {
  readonly #parts: WitnessingParts;
  readonly #failureListeners: ((cause: Error) => void)[] = [];
  #cancelRound: () => void = () => undefined;
  #cancelHalt: () => void = () => undefined;
  #quorum: 'held' | 'pending' | 'unknown' = 'unknown';
  #isKept = true;
  #ended = false;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: WitnessingParts) {
    this.#parts = parts;
  }

  /** The newest checkpoint with a quorum. */
  get cosigned(): Cosigned | undefined {
    return this.#parts.rounds.cosigned;
  }

  /** For the operator and metrics; undefined where no witness is asked. */
  report(): WitnessReport | undefined {
    const { rounds, settings } = this.#parts;
    if (settings.list.length === 0) return undefined;
    const quorum = this.#quorum === 'held' ? 'held' : 'pending';
    return { quorum, size: rounds.cosigned?.size ?? 0, since: rounds.since, witnesses: rounds.standings };
  }

  /** Calls back once, when a witness and the log disagree about the past. */
  onFailure(listener: (cause: Error) => void): void {
    this.#failureListeners.push(listener);
  }

  /** Takes up what was cosigned before, and begins to ask. Readiness waits for the first round. */
  async begin(): Promise<void> {
    const { settings, layout, rounds, readiness } = this.#parts;
    if (settings.list.length === 0) {
      readiness.good('witnesses');
      return rm(layout.cosigned, { force: true }); // of witnesses that are not asked any more
    }
    rounds.resume(readText(layout.cosigned) ?? '');
    this.#armHalt();
    this.#roundNow();
  }

  /** No more questions. Waits for the one that is being asked. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelRound();
    this.#cancelHalt();
    await this.#running;
  }

  #roundNow(): void {
    const { rounds, log, settings, clock } = this.#parts;
    this.#running = rounds
      .round()
      .then((round) => this.#judge(round))
      .catch((cause: unknown) => log.warn('witnesses could not be asked', { cause: String(cause) }))
      .finally(() => {
        if (!this.#ended)
          this.#cancelRound = clock.after(settings.interval_seconds * MS, () => this.#roundNow());
      });
  }

  async #judge({ quorum, disagreement }: Round): Promise<void> {
    if (disagreement) return this.#fail(disagreement);
    const { readiness, log, rounds, settings } = this.#parts;
    const now = quorum ? 'held' : 'pending';
    if (now !== this.#quorum) {
      const size = rounds.cosigned?.size ?? 0;
      if (quorum) log.info('enough witnesses cosign', { quorum: settings.quorum, size });
      else log.warn('quorum of witnesses pending', { quorum: settings.quorum, said: saidBy(rounds) });
    }
    this.#quorum = now;
    readiness.alarm('witness_quorum_pending', !quorum);
    if (!this.#isOverdue()) readiness.good('witnesses');
    if (!quorum) return;
    this.#armHalt();
    await this.#keep(rounds.cosigned?.note ?? '').then(
      () => (this.#isKept = true),
      (cause: unknown) => this.#notKept(cause),
    );
  }

  /** For the next start, and for who reads the log's files. Not synced: the witnesses can be asked again. */
  async #keep(note: string): Promise<void> {
    const { cosigned } = this.#parts.layout;
    await writeFile(`${cosigned}.tmp`, note, { mode: 0o600 });
    await rename(`${cosigned}.tmp`, cosigned);
  }

  /** Said once, until it is kept again: a disk can be full for long. The file of before stays, and is no less true. */
  #notKept(cause: unknown): void {
    const { log, layout } = this.#parts;
    const remedy = isFull(cause) ? 'Make room on its disk, or raise its quota.' : systemRemedy(cause);
    if (this.#isKept)
      log.warn('a cosigned checkpoint was not kept', {
        file: layout.cosigned,
        why: fileFault(cause),
        remedy,
      });
    this.#isKept = false;
  }

  #armHalt(): void {
    const { settings, rounds, clock } = this.#parts;
    if (settings.halt_after_seconds === 0) return;
    const left = rounds.since + settings.halt_after_seconds * MS - clock.wall();
    this.#cancelHalt();
    this.#cancelHalt = clock.after(Math.max(0, left), () => this.#halt());
  }

  #isOverdue(): boolean {
    const { settings, rounds, clock } = this.#parts;
    return settings.halt_after_seconds > 0 && clock.wall() >= rounds.since + settings.halt_after_seconds * MS;
  }

  #halt(): void {
    const { settings, readiness, leases, log, rounds } = this.#parts;
    if (!this.#isOverdue()) return this.#armHalt(); // the wall clock was moved
    const why = `no ${settings.quorum} witnesses have cosigned since ${new Date(rounds.since).toISOString()}`;
    log.error('no quorum of witnesses for too long: every call is denied', { said: saidBy(rounds) });
    readiness.bad('witnesses', why, 'witness_overdue');
    leases.endWhere(() => true, 'witness_overdue');
  }

  /** For good: to sign on would be to sign a second history. The next start asks the witnesses first. */
  #fail(disagreement: Disagreement): void {
    const { readiness, leases, log } = this.#parts;
    const fault = rolledBack(disagreement);
    const { witness, remembered, size } = disagreement;
    log.error('a witness contradicts the log', { witness, remembered, size, cause: fault.message });
    this.#ended = true;
    this.#cancelHalt();
    readiness.bad('witnesses', fault.message, 'witness_conflict');
    leases.endWhere(() => true, 'witness_conflict');
    for (const listener of this.#failureListeners.splice(0)) listener(fault);
  }
}

function saidBy(rounds: WitnessRounds): readonly string[] {
  return rounds.standings.map(
    ({ name, said, why }) => `${name}: ${said}${why === undefined ? '' : ` (${why})`}`,
  );
}
