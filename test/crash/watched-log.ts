/** `log-process.ts` under strace: all that its writer thread asks of the kernel, and what becomes of it if that fails. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { headIn } from './load.ts';
import type { Head } from './load.ts';
import { readTrace, watchThread, wentWrong } from './trace.ts';
import type { SystemCall } from './trace.ts';

/** What is to go wrong: at the `when`-th call of this name, that error, or the process is killed as it enters it. */
export interface Injection {
  readonly call: string;
  readonly when: number;
  /** Only calls on this file count. */
  readonly path?: string;
  readonly with: 'EIO' | 'ENOSPC' | 'EDQUOT' | 'SIGKILL';
}

/** How it went. */
export interface WatchedRun {
  readonly acknowledged: readonly { readonly seq: number; readonly path: string }[];
  readonly heads: readonly Head[];
  /** Entries that were acknowledged after the log had failed. */
  readonly acknowledgedAfter: number;
  /** Undefined where it was killed. */
  readonly end: 'closed' | 'refused' | undefined;
  readonly failed: string | undefined;
  readonly message: string | undefined;
  /** What its writer thread asked for, from before it opened the log until its end. */
  readonly calls: readonly SystemCall[];
  /** Whether the injection fell on a call. */
  readonly reached: boolean;
}

interface Line {
  readonly thread?: number;
  readonly seq?: number;
  readonly path?: string;
  readonly proof?: string;
  readonly head?: string;
  readonly after?: string;
  readonly failed?: string;
  readonly end?: 'closed' | 'refused';
  readonly message?: string;
}

const PROCESS = fileURLToPath(new URL('log-process.ts', import.meta.url));
const HOLD = new URL('writer-hold.ts', import.meta.url).href;

/** Runs it once. `folder` takes the trace; undefined where this machine lets nobody trace. */
export async function runWatched(
  home: string,
  folder: string,
  injection?: Injection,
): Promise<WatchedRun | undefined> {
  const args = ['-u', 'NODE_OPTIONS', process.execPath, '--import', HOLD, PROCESS, home, 'x'];
  const child = spawn('env', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines: Line[] = [];
  let over: Promise<unknown> | undefined;
  const file = join(folder, 'trace');
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line; // of log-process.ts or writer-hold.ts
    lines.push(line);
    if (line.thread === undefined) continue;
    const watched = await watchThread(line.thread, file, injection && spell(injection));
    if (!watched) child.kill('SIGKILL');
    over = watched?.over;
    child.stdin.end('\n');
  }
  await exited;
  if (!over) return undefined;
  await over;
  const trace = readFileSync(file, 'latin1');
  return { ...told(lines), calls: readTrace(trace), reached: wentWrong(trace) };
}

/** strace's arguments for it. */
export function spell({ call, when, path, with: what }: Injection): readonly string[] {
  const inject = `inject=${call}:${what === 'SIGKILL' ? 'signal=KILL' : `error=${what}`}:when=${when}`;
  return path === undefined ? ['-e', inject] : ['-e', inject, '-P', path];
}

function told(lines: readonly Line[]): Omit<WatchedRun, 'calls' | 'reached'> {
  const acknowledged = lines.flatMap(({ seq, path = '' }) => (seq === undefined ? [] : [{ seq, path }]));
  return {
    acknowledged,
    heads: lines.flatMap(({ proof, head }) => headIn(proof ?? head ?? '') ?? []),
    acknowledgedAfter: lines.filter(({ seq, after }) => seq !== undefined && after !== undefined).length,
    end: lines.at(-1)?.end,
    failed: lines.find(({ failed }) => failed !== undefined)?.failed,
    message: lines.at(-1)?.message,
  };
}
