/**
 * `node test/crash/prune-every-call.ts`: every system call of a pruning on its home fails once with EIO, once with ENOSPC,
 * and is once the last before a kill; and the power goes after each, with every kind of loss. Tells what held.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from './kill-rounds.ts';
import { LOSSES } from './power-loss.ts';
import { occasionsIn, PruneRounds } from './prune-rounds.ts';

const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const folder = mkdtempSync(join(tmpdir(), 'writ-prune-'));
let broken = 0;
let runs = 0;
let missed = 0;

function count(what: string, violations: readonly string[]): void {
  runs++;
  broken += violations.length;
  for (const violation of violations) tell(`${what}: VIOLATION ${violation}`);
}

try {
  const rounds = new PruneRounds(folder);
  const { calls, disk, isDone, said } = await rounds.prune();
  if (!isDone) throw new Error(said);
  const random = seeded(Date.now() % 1_000_000);
  const left = join(folder, 'left');
  for (const call of calls) {
    disk.take(call);
    if (!`${call.on}${call.rest}`.includes(rounds.copy)) continue;
    for (const loss of LOSSES) {
      disk.leave(left, loss, random);
      count(`${loss} after ${call.name} ${call.on}`, await rounds.judge(left));
    }
  }
  tell(`${runs} states of a disk`);
  for (const occasion of occasionsIn(calls, rounds.copy))
    for (const what of ['EIO', 'ENOSPC', 'SIGKILL'] as const) {
      const name = `${what} in ${JSON.stringify(occasion)}`;
      const { reached, violations } = await rounds.round({ ...occasion, with: what });
      count(name, violations);
      if (reached) continue;
      missed++;
      tell(`${name}: not reached`);
    }
  const held = broken === 0 ? 'all held' : `${broken} violations`;
  tell(`${runs} ends, ${missed} of them not reached: ${held}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = broken === 0 ? 0 : 1;
