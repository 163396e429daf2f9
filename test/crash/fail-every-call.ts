/**
 * `node test/crash/fail-every-call.ts`: every system call of a log's writer, from the lock through recovery and appends to
 * the close, fails once with EIO, once with ENOSPC, and is once the last before a kill. Tells what held, and
 * which runs never came to their call: those show nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, occasions } from './injected.ts';
import type { Injected } from './injected.ts';
import { makeUncleanLog } from './unclean-log.ts';

const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const folder = mkdtempSync(join(tmpdir(), 'writ-calls-'));
let broken = 0;
let runs = 0;
let missed = 0;

function count(what: string, injected: Injected | undefined): void {
  if (!injected) throw new Error('this machine has no strace, or lets nobody trace a process');
  runs++;
  broken += injected.violations.length;
  for (const violation of injected.violations) tell(`${what}: VIOLATION ${violation}`);
}

try {
  const log = makeUncleanLog(join(folder, 'home'));
  const untouched = await inject(log, folder);
  count('nothing', untouched);
  const all = untouched ? occasions(untouched.run, join(folder, 'copy')) : [];
  for (const occasion of all)
    for (const what of ['EIO', 'ENOSPC', 'SIGKILL'] as const) {
      const injected = await inject(log, folder, { ...occasion, with: what });
      count(`${what} in ${JSON.stringify(occasion)}`, injected);
      if (injected?.run.reached) continue;
      missed++;
      tell(`${what} in ${JSON.stringify(occasion)}: not reached`);
    }
  const held = broken === 0 ? 'all held' : `${broken} violations`;
  tell(`${all.length} calls, ${runs} runs, ${missed} of them did not come to their call: ${held}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = broken === 0 ? 0 : 1;
