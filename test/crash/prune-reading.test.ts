/**
 * Log files go while a real process reads them: between its list of them and its opening of one. What a pruning explains
 * is passed over; what it does not explain is damage as ever.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { listSegments } from '../../src/lineage/layout.ts';
import { missing } from '../e2e/program.ts';
import { pruneLog, segmentedLog } from '../lineage/pruned-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { checkLog } from './checker.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const START = fileURLToPath(new URL('log-process.ts', import.meta.url));
const ENTRIES = 400;

interface Ended {
  readonly code: number;
  readonly stdout: string;
}

const lineage = (...args: readonly string[]): ((home: string) => readonly string[]) => {
  return (home) => [BIN, 'lineage', ...args, '--home', home];
};

const DAMAGED = /log_damaged|log_unreadable/;

/** What reads, and what it must say of a log whose oldest entries went meanwhile: pruned, and not. */
const readers: readonly [name: string, args: (home: string) => readonly string[], pruned: RegExp, gone: RegExp][] = [
  ['start', (home) => [START, home, 'x'], /"end":"closed"/, DAMAGED],
  ['verify', lineage('verify', '--json'), /"ok":\s*true[^]*"pruned"/, DAMAGED],
  ['export', lineage('export', '--format', 'jsonl'), /"path":"\/399"/, /^$/],
  ['reindex', lineage('reindex'), /./, /^$/],
]; // prettier-ignore

t.setTimeout(600_000);

/** Runs a reader that stops as it opens the second log file; `meanwhile` happens; it goes on. */
async function reads(
  log: ScratchLog,
  args: readonly string[],
  meanwhile: () => unknown,
): Promise<Ended | undefined> {
  const [, second] = listSegments(log.layout.segments);
  const trace = [
    '-f',
    '-e',
    'trace=openat',
    '-e',
    'inject=openat:signal=SIGSTOP:when=1',
    '-P',
    second?.path ?? '',
  ];
  const program = ['taskset', '-c', someCpu(), 'env', '-u', 'NODE_OPTIONS', process.execPath, ...args];
  const child = spawn('strace', [...trace, ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'close');
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  let stopped = false;
  for await (const line of createInterface({ input: child.stderr })) {
    if (!line.includes('stopped by SIGSTOP')) continue; // each thread is stopped once
    if (!stopped) await meanwhile();
    stopped = true;
    goOn(child.pid);
  }
  const [code] = (await exited) as [number]; // `close` says so
  return stopped ? { code, stdout } : undefined;
}

/** Of those this process may use. On one of them files are verified one after the other, not by as many threads. */
function someCpu(): string {
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
}

/** Wakes what strace runs. */
function goOn(strace: number | undefined): void {
  try {
    const traced = readFileSync(`/proc/${strace}/task/${strace}/children`, 'utf8');
    process.kill(Number.parseInt(traced, 10), 'SIGCONT');
  } catch {
    // it has ended meanwhile
  }
}

/** A log whose pruning is on record, while all its files are still there. */
async function aboutToDrop(home: string): Promise<ScratchLog> {
  const log = segmentedLog(home, ENTRIES);
  const kept = `${home}.kept`;
  cpSync(log.layout.segments, kept, { recursive: true });
  const { until } = await pruneLog(log);
  for (const { path, first } of listSegments(kept))
    if (first < until) cpSync(path, join(log.layout.segments, basename(path)));
  rmSync(kept, { recursive: true });
  return log;
}

t.test('log files that are pruned while a process reads', { skip: missing('strace') }, async (t) => {
  const folder = scratchFolder(t);
  const whole = await aboutToDrop(join(folder, 'whole'));
  for (const [name, args, wanted] of readers) {
    const log = copyOf(name);
    const ended = await reads(log, args(log.home), () => pruneLog(log));
    if (!ended) return void t.pass('nobody may be traced here');
    t.match(ended, { code: 0, stdout: wanted }, `${name} goes on`);
    t.ok(checkLog(log.home, log.identity.origin).prunedUntil > 200, `${name}: they are gone`);
  }

  function copyOf(name: string): ScratchLog {
    const home = join(folder, name);
    cpSync(whole.home, home, { recursive: true });
    return scratchLog(home);
  }
});

t.test(
  'a log file that goes while a process reads, and was not pruned',
  { skip: missing('strace') },
  async (t) => {
    const folder = scratchFolder(t);
    const whole = await aboutToDrop(join(folder, 'whole'));
    for (const [name, args, , gone] of readers) {
      const home = join(folder, name);
      cpSync(whole.home, home, { recursive: true });
      const log = scratchLog(home);
      const third = listSegments(log.layout.segments)[2]?.path ?? '';
      const ended = await reads(log, args(home), () => rmSync(third));
      if (!ended) return void t.pass('nobody may be traced here');
      t.match(ended, { code: /^[13]$/, stdout: gone }, `${name} refuses`);
    }
  },
);
