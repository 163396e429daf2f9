/**
 * Evaluates recorded decisions again (`writ lineage replay`). Everything that a policy sees comes in through its input,
 * so the recorded policy must give the recorded decision; another policy may give another one, and how they differ is
 * what its author wants to know.
 */
import { isJsonObject } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { FoundInput } from '../lineage/inputs-read.ts';
import { identifyRecorded } from './bundle.ts';
import type { Decision, Evaluation } from './decision.ts';

/** What an entry says of one question to a policy. */
export interface RecordedQuestion {
  readonly seq: number;
  /** Digest of the bundle that answered. */
  readonly bundle: string;
  readonly revision: string;
  /** Salted digest of the input. */
  readonly input: string;
  /** SHA-256 of the decision's RFC 8785 text; undefined where the policy gave none. */
  readonly result: string | undefined;
  /** The denial's code, where the call was denied. */
  readonly code: string | undefined;
  readonly reasons: readonly string[];
}

/** A policy's answer, as far as it is known. */
export interface KnownAnswer {
  /** Why there was no decision. */
  readonly code?: string;
  readonly allow?: boolean;
  readonly reasons?: readonly string[];
  /** Absent where they are not known: the log holds a digest of them. */
  readonly obligations?: Decision['obligations'];
}

/** What came of it. `material`: the input or the policy is not there. */
export type Redecided =
  | { readonly status: 'same' }
  | { readonly status: 'different'; readonly before: KnownAnswer; readonly after: KnownAnswer }
  | { readonly status: 'material missing' | 'masked'; readonly why: string };

/** What an entry says, or undefined where no policy was asked for it. */
export function questionOf(seq: number, statement: Json): RecordedQuestion | undefined {
  const predicate = memberOf(statement, 'predicate');
  const policy = memberOf(predicate, 'policy');
  const replay = memberOf(predicate, 'replay');
  const [wasm, data, entrypoint] = ['wasm', 'data', 'entrypoint'].map((name) =>
    textOf(memberOf(policy, name)),
  );
  const input = textOf(memberOf(replay, 'input'));
  if (wasm === undefined || data === undefined || entrypoint === undefined || input === undefined)
    return undefined;
  const reasons = memberOf(predicate, 'reasons');
  return {
    seq,
    bundle: identifyRecorded({ data, entrypoint, wasm }),
    revision: textOf(memberOf(policy, 'revision')) ?? '',
    input,
    result: textOf(memberOf(replay, 'result')),
    code: textOf(memberOf(predicate, 'code')),
    reasons: Array.isArray(reasons) ? reasons.filter((name) => typeof name === 'string') : [],
  };
}

/** Compares what was answered then with what is answered now. */
export function compareAnswers(
  question: RecordedQuestion,
  kept: FoundInput,
  { answer, result }: Evaluation,
): Redecided {
  const same =
    question.result === undefined ? !answer.ok && answer.code === question.code : question.result === result;
  if (same) return { status: 'same' };
  const after = answer.ok ? { ...answer.value } : { code: answer.code };
  return { status: 'different', before: answeredThen(question, kept), after };
}

/** The whole decision where it was kept and has the digest on record; else what the entry itself says. */
function answeredThen({ result, code, reasons }: RecordedQuestion, kept: FoundInput): KnownAnswer {
  if (result === undefined) return code === undefined ? {} : { code };
  if (kept.result !== undefined && sha256Hex(kept.result) === result)
    return JSON.parse(kept.result) as Decision; // our own text, by its digest
  return { allow: code !== 'policy_denied', reasons: code === 'policy_denied' ? reasons : [] };
}

function memberOf(value: Json | undefined, name: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
