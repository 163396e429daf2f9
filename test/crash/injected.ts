/** One system call of a log's writer fails, or is the last one; then the log is looked at, recovered, and looked at again. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { verifyLog } from '../../src/lineage/verify.ts';
import { openStore, scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { checkLog } from './checker.ts';
import { recoveryViolations, violations } from './violations.ts';
import type { Witnessed } from './violations.ts';
import { runWatched } from './watched-log.ts';
import type { Injection, WatchedRun } from './watched-log.ts';

/** What a disk says that has no room. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** What one injection showed. */
export interface Injected {
  readonly run: WatchedRun;
  /** None where all held. */
  readonly violations: readonly string[];
}

/** Where something can go wrong. */
export type Occasion = Omit<Injection, 'with'>;

/** Calls that bring something to the disk: none of them can fail unnoticed. */
export const BINDING: ReadonlySet<string> = new Set([
  'write',
  'pwrite64',
  'fdatasync',
  'fsync',
  'rename',
  'ftruncate',
]);

/**
 * Every call on the home's files, as an injection without its error: the n-th of its name in the writer's thread. Threads
 * also wake each other by `write`, now more often and now less, so that one is counted for each file on its own.
 */
export function occasions(run: WatchedRun, home: string): readonly Occasion[] {
  const counts = new Map<string, number>();
  return run.calls.flatMap(({ name, on, rest }) => {
    const path = name === 'write' ? { path: /<(.*)>/.exec(on)?.[1] ?? '' } : {};
    const key = name + (path.path ?? '');
    const when = (counts.get(key) ?? 0) + 1;
    counts.set(key, when);
    return on.includes(home) || rest.includes(home) ? [{ call: name, when, ...path }] : [];
  });
}

/** Runs on a copy of `log`, which stays as it is; undefined where this machine lets nobody trace. */
export async function inject(
  log: ScratchLog,
  folder: string,
  injection?: Injection,
): Promise<Injected | undefined> {
  const home = join(folder, 'copy');
  rmSync(home, { recursive: true, force: true });
  cpSync(log.home, home, { recursive: true });
  const { origin } = log.identity;
  const earlier = checkLog(home, origin).entries.map(({ text }) => text);
  const run = await runWatched(home, folder, injection);
  if (!run) return undefined;
  const seen = { arrived: [], answers: [], earlier, acknowledged: run.acknowledged, heads: run.heads };
  return { run, violations: [...misbehaved(run, injection), ...judge(home, origin, seen)] };
}

/** What the process did, or did not do, when it happened. */
function misbehaved(run: WatchedRun, injection: Injection | undefined): readonly string[] {
  const found: string[] = [];
  if (run.acknowledgedAfter > 0)
    found.push(`P8 ${run.acknowledgedAfter} entries were acknowledged after a failure`);
  if (!injection || !run.reached)
    return run.end === 'closed' ? found : [...found, `it ended ${run.end}: ${run.message}`];
  if (injection.with === 'SIGKILL') return run.end === undefined ? found : [...found, 'it was not killed'];
  if (BINDING.has(injection.call) && run.end === 'closed' && run.failed === undefined)
    found.push('P8 it says that the log is closed, after a call that failed');
  if (run.end === undefined) found.push('it ended without a word');
  const isFull = BINDING.has(injection.call) && FULL.has(injection.with);
  if (isFull && run.message?.includes('cannot be opened') && !run.message.includes('Make room'))
    found.push(`it does not say that the disk is full: ${run.message}`);
  return found;
}

/** The log as it lies there, as one start makes it, and as the next one finds it. */
export function judge(home: string, origin: string, seen: Witnessed): readonly string[] {
  try {
    const before = checkLog(home, origin);
    const found = [...violations(before, seen)];
    openStore(scratchLog(home)).close();
    const after = checkLog(home, origin);
    found.push(...violations(after, seen), ...recoveryViolations(home, before, after));
    openStore(scratchLog(home)).close();
    const again = checkLog(home, origin);
    found.push(...recoveryViolations(home, after, again));
    if (again.entries.length !== after.entries.length) found.push('P7 a second start changed the log');
    const { layout, identity } = scratchLog(home);
    const own = verifyLog({ layout, logKey: identity.logKey });
    if (!own.ok || own.size !== again.entries.length)
      found.push(`P11 the own verifier says ${JSON.stringify(own)}`);
    return found;
  } catch (cause) {
    return [`P3 the log is not a good one any more: ${String(cause)}`];
  }
}
