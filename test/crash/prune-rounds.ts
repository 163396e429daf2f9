/** A pruning of which one system call fails, or is the last one, and what becomes of its log. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../e2e/program.ts';
import { prunableOf, pruneLog, segmentedLog } from '../lineage/pruned-log.ts';
import { scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { checkLog, wrongTiles } from './checker.ts';
import type { CheckedLog } from './checker.ts';
import { BINDING, judge } from './injected.ts';
import { Disk } from './power-loss.ts';
import { readTrace, traced, wentWrong } from './trace.ts';
import type { SystemCall } from './trace.ts';
import { violations } from './violations.ts';
import type { Witnessed } from './violations.ts';
import { spell } from './watched-log.ts';
import type { Injection } from './watched-log.ts';

const PROCESS = fileURLToPath(new URL('prune-process.ts', import.meta.url));
const ENTRIES = 400;
/** Of 400 entries the first 256 are in a full tile, and whole segments go. */
const GOAL = 200;

/** How a pruning went. */
export interface PruneRun {
  /** What it did to files, in the order in which it did it. */
  readonly calls: readonly SystemCall[];
  /** The disk before them. */
  readonly disk: Disk;
  /** Whether it says that it came to its end. */
  readonly isDone: boolean;
  readonly said: string;
  /** Whether the injection fell on a call. */
  readonly reached: boolean;
}

/** What one injection showed: nothing, where it fell on no call. */
export interface PruneRound {
  readonly reached: boolean;
  readonly violations: readonly string[];
}

/** One log, of which each round prunes a copy. */
export class PruneRounds {
  readonly log: ScratchLog;
  /** Where the copy lies. */
  readonly copy: string;
  readonly #folder: string;
  readonly #seen: Witnessed;

  constructor(folder: string) {
    this.#folder = folder;
    this.copy = join(folder, 'copy');
    this.log = segmentedLog(join(folder, 'whole'), ENTRIES);
    this.#seen = seenOf(checkLog(this.log.home, this.log.identity.origin));
  }

  /** Prunes a fresh copy, on which `injection` falls. */
  async prune(injection?: Injection): Promise<PruneRun> {
    rmSync(this.copy, { recursive: true, force: true });
    cpSync(this.log.home, this.copy, { recursive: true });
    const disk = new Disk(this.copy);
    const file = join(this.#folder, 'trace');
    rmSync(file, { force: true });
    const inject = injection ? spell(injection) : [];
    const program = [process.execPath, PROCESS, this.copy];
    const { stdout, stderr } = await run('strace', [...inject, ...traced(file, program)]);
    const said = stdout + stderr;
    const trace = readFileSync(file, 'latin1');
    return { calls: readTrace(trace), disk, isDone: stdout === 'pruned\n', said, reached: wentWrong(trace) };
  }

  /** Prunes a copy, and says what did not hold then. */
  async round(injection: Injection): Promise<PruneRound> {
    const { isDone, reached } = await this.prune(injection);
    const mustEnd =
      injection.with === 'SIGKILL' || BINDING.has(injection.call) || injection.call === 'unlink';
    const found = reached && isDone && mustEnd ? ['P8 it says that all is pruned'] : [];
    return { reached, violations: [...found, ...(await this.judge(this.copy))] };
  }

  /** The log in a home as it was left, as two starts make it, and as the next pruning finishes it. */
  async judge(home: string): Promise<readonly string[]> {
    const { origin } = this.log.identity;
    const found = judge(home, origin, this.#seen);
    if (found.length > 0) return found;
    const started = seenOf(checkLog(home, origin));
    if (!('why' in prunableOf(scratchLog(home)))) await pruneLog(scratchLog(home));
    const pruned = checkLog(home, origin);
    const undone = pruned.prunedUntil < GOAL ? [`P7 it ends at ${pruned.prunedUntil}`] : [];
    return [
      ...undone,
      ...violations(pruned, this.#seen),
      ...violations(pruned, started),
      ...wrongTiles(home, pruned),
      ...judge(home, origin, started),
    ];
  }
}

/** Each call on a file of the home, as an injection without its error: the n-th of its name on that file. */
export function occasionsIn(
  calls: readonly SystemCall[],
  home: string,
): readonly (Omit<Injection, 'with'> & { readonly path: string })[] {
  const counts = new Map<string, number>();
  return calls.flatMap(({ name, on, rest }) => {
    const at = `${on}${rest}`.indexOf(home);
    if (at < 0) return [];
    const [path = ''] = /^[^">]+/.exec(`${on}${rest}`.slice(at)) ?? [];
    const when = (counts.get(`${name} ${path}`) ?? 0) + 1;
    counts.set(`${name} ${path}`, when);
    return [{ call: name, when, path }];
  });
}

/** All that can be known of a log: its entries, and every head it ever signed. */
function seenOf({ entries, roots }: CheckedLog): Witnessed {
  const heads = [...roots].map(([size, root]) => ({ size, root }));
  return { arrived: [], answers: [], earlier: entries.map(({ text }) => text), heads };
}
