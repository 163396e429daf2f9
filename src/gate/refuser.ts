/** Turns a refusal into a recorded, signed, answered denial. Nothing in here can let a call pass. */
import { agentOf } from '../grant/grant.ts';
import { LineageUnavailable } from '../lineage/lineage.ts';
import type { EntryRequest, Lineage, LogCondition, Recorded } from '../lineage/lineage.ts';
import { draft, refusalText } from '../lineage/statement.ts';
import type { Refusal } from '../denial/outcome.ts';
import { denialOf, problemOf, shownDigest, statusOf } from './denial.ts';
import type { Denial, Evidence, Problem } from './denial.ts';
import { decisionPredicate } from './findings.ts';
import type { Findings } from './findings.ts';
import { keepInput } from './keep-input.ts';
import type { Clock, Inputs } from './outside.ts';
import type { RecordingLimit } from './recording-limit.ts';

/** A refusal made ready: its problem document, and the entry that will record it. */
interface Prepared {
  readonly problem: Problem;
  readonly predicate: object;
}

/** A denial, and where it stands in the log. */
export interface Refused {
  readonly denial: Denial;
  readonly seq?: number;
}

/** What a refuser works with. */
export interface RefuserParts {
  readonly lineage: Lineage;
  /** Absent: inputs are not kept. */
  readonly inputs?: Inputs;
  readonly clock: Clock;
  readonly limit: RecordingLimit;
  /** On the forward port, answer a call without any grant with 407, for clients that send proxy credentials only when asked. */
  readonly challenge: boolean;
}

/** Makes denials. */
export class Refuser {
  readonly #parts: RefuserParts;

  constructor(parts: RefuserParts) {
    this.#parts = parts;
  }

  /** A denial, durable where the limit lets it be recorded; undefined where the connection is just to be closed. */
  async refuse(found: Findings, refusal: Refusal): Promise<Refused | undefined> {
    const { limit, clock } = this.#parts;
    const prepared = this.#prepare(found, refusal);
    switch (limit.admit(holderOf(found), refusal.code, clock.monotonic())) {
      case 'record':
        return this.#record(found, prepared);
      case 'aggregate':
        return { denial: await this.#signOnly(found, prepared, 'aggregated') };
      case 'drop':
        return undefined;
    }
  }

  /** The denial of a permit that ended before its response head, in one batch with the permit's outcome. */
  async refuseAfter(outcome: EntryRequest, found: Findings, refusal: Refusal): Promise<Refused> {
    return this.#record(found, this.#prepare(found, refusal), [outcome]);
  }

  #prepare(found: Findings, refusal: Refusal): Prepared {
    const { code, reasons = [] } = refusal;
    const challenge = this.#parts.challenge && found.call?.carrier === 'forward'; // elsewhere nobody knows of a proxy
    const status = statusOf(code, challenge);
    const problem = problemOf({ id: found.id, code, reasons, salt: found.salt, status });
    const predicate = decisionPredicate(found, {
      code,
      reasons,
      shown: shownDigest(problem),
      verdict: 'deny',
    });
    return { problem, predicate };
  }

  async #record(found: Findings, prepared: Prepared, before: readonly EntryRequest[] = []): Promise<Refused> {
    const { lineage, limit } = this.#parts;
    if (before.length === 0 && !takesDenials(lineage.condition)) {
      limit.count(prepared.problem.code);
      return { denial: await this.#signOnly(found, prepared, 'log_unavailable') };
    }
    const entry = { ...draft('decision', found.id, prepared.predicate), receipt: true };
    let recorded: Recorded | undefined;
    try {
      recorded = (await lineage.appendAll([...before, entry])).at(-1);
    } catch (cause) {
      if (!(cause instanceof LineageUnavailable)) throw cause;
    }
    if (!recorded?.evidence) return { denial: await this.#signOnly(found, prepared, 'log_unavailable') };
    keepInput(found, recorded.seq, this.#parts.inputs);
    return { denial: answerTo(found, prepared.problem, recorded.evidence), seq: recorded.seq };
  }

  /** Signed and never logged: `refusal:v1`. Without a working signer: nothing to show, and the connection closes. */
  async #signOnly(
    found: Findings,
    prepared: Prepared,
    why: 'aggregated' | 'log_unavailable',
  ): Promise<Denial> {
    const { lineage, clock } = this.#parts;
    const at = new Date(clock.wall()).toISOString();
    const statement = refusalText(found.id, { ...prepared.predicate, at, origin: lineage.origin, why });
    let evidence: Evidence = { receipt: null, proof: null };
    try {
      evidence = { receipt: await lineage.refuse(statement), proof: null };
    } catch (cause) {
      if (!(cause instanceof LineageUnavailable)) throw cause;
    }
    return answerTo(found, prepared.problem, evidence);
  }
}

/** Whether a denial may take room in the log. Where not, it is counted, and the counts go on record once there is. */
function takesDenials({ state, room }: LogCondition): boolean {
  return state === 'writing' && room !== 'none';
}

/** After a head or a body that breaks the rules nothing further on its connection is believed (threats.md §2). */
function answerTo(found: Findings, problem: Problem, evidence: Evidence): Denial {
  const denial = denialOf(found.id, problem, evidence);
  const brokeRules = !found.call || problem.code === 'trailers_unsupported';
  return brokeRules && problem.code !== 'authority_misdirected' ? { ...denial, close: true } : denial;
}

/** Whom a denial is counted against: the holder of a valid grant, or all strangers together. */
function holderOf(found: Findings): string | undefined {
  return found.grant && agentOf(found.grant);
}
