/** What has been found out about one call so far, and how it goes on record (formats.md §3, `decision:v1`). */
import type { Call, RawHead } from '../call/call.ts';
import { withoutSecrets } from '../call/secret-headers.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { Coverage, Grant } from '../grant/grant.ts';
import type {
  DecisionPredicate,
  Members,
  RecordedCall,
  Redirected,
  UnparsedCall,
} from '../lineage/statement.ts';
import type { Evaluation } from '../policy/decision.ts';
import type { HeldBody } from './held-body.ts';
import type { HeldLease } from './lease.ts';
import type { Ended, Fresh } from './outside.ts';
import type { Rules } from './rules.ts';

/** Grows step by step, in the locals of one pass through the gate. Later members are there only once reached. */
export interface Findings extends Fresh {
  readonly head: RawHead;
  /** What the call began under. */
  readonly rules: Rules;
  /** The agent runs under a uid that can read the sidecar's keys. */
  readonly exposed: boolean;
  /** On the transparent port. */
  readonly redirected?: Redirected;
  call?: Call;
  /** Every signature verified. */
  grant?: Grant | undefined;
  coverage?: Coverage;
  lease?: HeldLease;
  evaluation?: Evaluation;
  replay?: { readonly input: string; readonly now: string };
  /** What policy was asked, until it is kept. */
  asked?: readonly string[] | undefined;
  /** Where it was read before its first byte left. */
  body?: HeldBody;
  /** `seq` of its permit, once that is durable: a denial from here on names it. */
  permit?: number;
  /**
   * How the permit was used: not at all before this is there, `unknown` while its upstream has it, then how that ended,
   * and `told` once it is on its way into the log.
   */
  used?: 'unknown' | Ended | 'told';
}

/** Of every call so far: nothing here can tell yet that its agent has no other way out, which `jailed` would say. */
export const TIER: DecisionPredicate['assurance']['tier'] = 'cooperative';

/** What a verdict adds to what was found. */
type Told = Pick<DecisionPredicate, 'addresses' | 'code' | 'reasons' | 'shown' | 'verdict'>;

/** A decision for the record: of one shape, whatever was found, and in canonical order, which is cheapest to write. */
export function decisionPredicate(
  found: Findings,
  { addresses, code, reasons, shown, verdict }: Told,
): Members<DecisionPredicate> {
  const { call, evaluation, permit, redirected, replay } = found;
  return {
    addresses,
    assurance: {
      ...(found.exposed && { keys: 'exposed' as const }),
      seen: call ? seenOf(call) : 'inspected',
      tier: TIER,
    },
    call: call ? recordedCall(found, call) : unparsedCall(found),
    code,
    evaluated: evaluation?.answer.ok ?? false,
    grant: recordedGrant(found),
    permit,
    policy: evaluation && recordedBundle(evaluation),
    reasons,
    redirected,
    replay: replay && recordedReplay(replay, evaluation),
    settings: found.rules.settings,
    shown,
    trace: call?.trace,
    verdict,
  };
}

function recordedReplay(
  { input, now }: NonNullable<Findings['replay']>,
  evaluation: Evaluation | undefined,
): NonNullable<DecisionPredicate['replay']> {
  return { input, now, ...(evaluation?.result && { result: evaluation.result }) };
}

/** How much of a call could be seen, known from the request (design.md §4). */
function seenOf({ action }: Call): DecisionPredicate['assurance']['seen'] {
  if (action === 'CONNECT') return 'host-only';
  return action === 'UPGRADE' ? 'opaque' : 'inspected';
}

/**
 * Whether path and intent, the only long texts of an entry, would take it past 16 KiB (formats.md §3). Digests of them
 * then stand on record, and the call is denied: nobody could read what was let out.
 */
export function isTooLong({ call, grant }: Findings): boolean {
  const intent = JSON.stringify(grant?.root.intent ?? '');
  return (call?.path.length ?? 0) + Buffer.byteLength(intent) > MAX_TEXT_BYTES;
}

/** All else in an entry stays under 5 KiB. */
const MAX_TEXT_BYTES = 11 * 1024;

/** SHA-256 over salt ‖ text, hex: for what is too short to be hidden by a bare digest. */
export function salted(salt: Uint8Array, text: string, encoding: 'latin1' | 'utf8' = 'utf8'): string {
  const bytes = Buffer.allocUnsafe(salt.length + Buffer.byteLength(text, encoding));
  bytes.set(salt);
  bytes.write(text, salt.length, encoding);
  return sha256Hex(bytes);
}

function recordedCall(found: Findings, call: Call): RecordedCall {
  return {
    content: recordedContent(found),
    headers: salted(found.salt, JSON.stringify(withoutSecrets(call.headers))),
    method: call.method,
    origin: call.origin,
    path: found.rules.path === 'full' && !isTooLong(found) ? call.path : salted(found.salt, call.path),
    ...(call.query === null ? {} : { query: salted(found.salt, call.query, 'latin1') }),
    ...(call.upgrade && { upgrade: call.upgrade }),
  };
}

function recordedContent({ body }: Findings): RecordedCall['content'] {
  return body ? { length: body.length, sha256: body.sha256, sha3_512: body.sha3_512 } : null;
}

function unparsedCall(found: Findings): UnparsedCall {
  const { method, target } = found.head;
  const known = /^[A-Z]{1,16}$/.test(method) ? method : 'invalid';
  return { method: known, target: salted(found.salt, target, 'latin1') };
}

/** The grant of a call as it goes on record; null until every signature verified. */
export function recordedGrant(found: Findings): DecisionPredicate['grant'] {
  const { grant, coverage } = found;
  if (!grant) return null;
  const { root, key, digest } = grant;
  const intent =
    root.intent !== undefined && isTooLong(found) ? salted(found.salt, root.intent) : root.intent;
  const max = coverage?.entry.max_calls;
  const link = {
    digest,
    ...(coverage ? { entry: coverage.index } : {}),
    jti: root.jti,
    key: key.id,
    ...(max === undefined ? {} : { max }),
  };
  return {
    chain: [link],
    expires: root.exp,
    ...(intent === undefined ? {} : { intent }),
    iss: root.iss,
    sub: root.sub,
  };
}

function recordedBundle({ bundle }: Evaluation): NonNullable<DecisionPredicate['policy']> {
  const { data, entrypoint, revision, wasm } = bundle;
  return { data, entrypoint, revision, wasm };
}
