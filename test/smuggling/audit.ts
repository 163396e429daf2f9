/** What the log says that was let out, beside what the origin received: request for request, octet for octet. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutSecrets } from '../../src/call/secret-headers.ts';
import type { Recorded, TestHome } from '../e2e/home.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import type { Received } from './received.ts';

/** A permit, and what became of it at the origin. */
export interface LetOut {
  /** Id of the decision. */
  readonly id: string;
  /** `sub` of its grant. */
  readonly agent: string;
  readonly ended: string;
  /** Absent: nothing of it reached the origin. */
  readonly received?: Received;
}

/** The members of a permitting decision that are looked at. */
interface Decision {
  readonly verdict: string;
  readonly trace: string;
  readonly grant: { readonly sub: string };
  readonly call: { method: string; path: string; query?: string; headers: string; upgrade?: string };
  readonly replay: { readonly input: string };
}

/** The members of an outcome that are looked at. */
interface Outcome {
  readonly permit: number;
  readonly ended: string;
  readonly request: {
    readonly bytes: number;
    readonly sha256: string;
    readonly trailers?: { readonly sha256: string };
  };
}

/** The whole comparison; each fault is a sentence. The sidecar must have stopped. */
export function audit(
  home: TestHome,
  received: readonly Received[],
): { readonly letOut: readonly LetOut[]; readonly faults: readonly string[] } {
  const entries = home.entries();
  const salts = readSalts(home);
  const outcomes = new Map(entries.filter(({ type }) => type === 'outcome').map(outcomeOf));
  const left = new Set(received);
  const byTrace = Map.groupBy(received, traceOf);
  const faults: string[] = [];
  const letOut: LetOut[] = [];
  for (const entry of entries) {
    const decision = entry.is as unknown as Decision; // an entry of our own log
    if (entry.type !== 'decision' || decision.verdict !== 'permit') continue;
    const outcome = outcomes.get(entry.seq);
    const { trace, grant } = decision;
    const mine = byTrace.get(trace) ?? [];
    for (const one of mine) left.delete(one);
    if (!outcome) faults.push(`permit ${entry.seq} has no outcome`);
    if (mine.length > 1) faults.push(`permit ${entry.seq} was sent ${mine.length} times`);
    const [one] = mine;
    if (one && outcome)
      faults.push(...differences(one, { decision, outcome, salt: salts.get(decision.replay.input) }));
    const ended = outcome?.ended ?? 'unknown';
    letOut.push({ id: entry.id, agent: grant.sub, ended, ...(one && { received: one }) });
  }
  for (const one of left) faults.push(`nobody let out ${JSON.stringify(one)}`);
  return { letOut, faults };
}

interface Logged {
  readonly decision: Decision;
  readonly outcome: Outcome;
  readonly salt: Uint8Array | undefined;
}

/** Where a request is another one than its permit says. */
function differences(one: Received, { decision, outcome, salt }: Logged): readonly string[] {
  if (!salt) return [`no input was kept for ${decision.trace}`];
  const { call } = decision;
  const mark = one.target.indexOf('?');
  const [path, query] = mark < 0 ? [one.target] : [one.target.slice(0, mark), one.target.slice(mark + 1)];
  const framing = new Set(['content-length', 'transfer-encoding', 'connection']);
  const headers = withoutSecrets(one.headers.filter(([name]) => !framing.has(name)));
  const body = one.whole ? digest(one.body) : outcome.request.sha256;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['method', one.method, call.method],
    ['path', path, call.path],
    ['query', query === undefined ? undefined : digest(query, salt), call.query],
    ['headers', digest(Buffer.from(JSON.stringify(headers)).toString('latin1'), salt), call.headers],
    ['body', body, outcome.request.sha256],
    ['length', one.whole ? one.body.length : outcome.request.bytes, outcome.request.bytes],
    ['trailers', trailersOf(one, outcome), outcome.request.trailers?.sha256],
    ['connection', valuesOf(one, 'connection').some((value) => !/^(?:keep-alive|close)$/.test(value)), false],
  ];
  return pairs
    .filter(([, was, said]) => was !== said)
    .map(
      ([what, was, said]) => `${what} was ${String(was)}, logged is ${String(said)}: ${JSON.stringify(one)}`,
    );
}

function trailersOf({ trailers, whole }: Received, { request }: Outcome): string | undefined {
  if (!whole) return request.trailers?.sha256;
  return trailers.length === 0 ? undefined : digest(Buffer.from(JSON.stringify(trailers)).toString('latin1'));
}

function traceOf(one: Received): string {
  return valuesOf(one, 'traceparent').join();
}

function valuesOf({ headers }: Received, wanted: string): readonly string[] {
  return headers.filter(([name]) => name === wanted).map(([, value]) => value);
}

function outcomeOf({ is }: Recorded): [number, Outcome] {
  const outcome = is as unknown as Outcome; // an entry of our own log
  return [outcome.permit, outcome];
}

/** `replay.input` → salt. */
function readSalts(home: TestHome): ReadonlyMap<string, Uint8Array> {
  const folder = layoutOf(home.path).inputs;
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
  return new Map(
    lines
      .filter((line) => line !== '')
      .map((line) => {
        const kept = JSON.parse(line) as { digest: string; salt: string }; // our own file
        return [kept.digest, Buffer.from(kept.salt, 'base64url')];
      }),
  );
}

function digest(latin1: string, salt: Uint8Array = new Uint8Array(0)): string {
  return createHash('sha256').update(salt).update(latin1, 'latin1').digest('hex');
}
