/**
 * A pruning that ends at any of its steps, or during which the power goes, leaves a good log, and the next one brings it to
 * its end. The checker judges, which shares no code with the store.
 */
import { join } from 'node:path';
import t from 'tap';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { seeded } from './kill-rounds.ts';
import { LOSSES } from './power-loss.ts';
import { occasionsIn, PruneRounds } from './prune-rounds.ts';

/** What changes a disk; prune-every-call.ts goes through all calls. */
const CHANGES = new Set(['write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'unlink', 'ftruncate']);
/** Every n-th of them ends a pruning here. */
const EVERY = 2;
const ENDS = ['SIGKILL', 'EIO', 'SIGKILL', 'ENOSPC', 'SIGKILL', 'EDQUOT'] as const;

t.setTimeout(600_000);

t.test('wherever a pruning ends', { skip: missing('strace') }, async (t) => {
  const rounds = new PruneRounds(scratchFolder(t));
  const { calls, isDone, said } = await rounds.prune();
  if (said.startsWith('strace: ')) return void t.pass(`nobody may be traced here: ${said}`);
  t.ok(isDone, said);
  t.strictSame(await rounds.judge(rounds.copy), [], 'untouched');
  const all = occasionsIn(calls, rounds.copy).filter(({ call }) => CHANGES.has(call));
  t.ok(all.length > 20, `${all.length} calls`);
  for (const name of ['write', 'fdatasync', 'fsync', 'rename', 'unlink'])
    t.ok(
      all.some(({ call }) => call === name),
      name,
    );
  const some = all.filter((_, i) => i % EVERY === 0);
  for (const [i, occasion] of some.entries()) {
    const what = ENDS[i % ENDS.length] ?? 'SIGKILL';
    const found = await rounds.round({ ...occasion, with: what });
    t.strictSame(
      found,
      { reached: true, violations: [] },
      `${what} in ${occasion.call} ${occasion.when} of ${occasion.path}`,
    );
  }
});

t.test('wherever the power goes during a pruning', { skip: missing('strace') }, async (t) => {
  const folder = scratchFolder(t);
  const rounds = new PruneRounds(folder);
  const { calls, disk, isDone, said } = await rounds.prune();
  if (said.startsWith('strace: ')) return void t.pass(`nobody may be traced here: ${said}`);
  t.ok(isDone, said);
  const seed = Date.now() % 1_000_000;
  const random = seeded(seed);
  const left = join(folder, 'left');
  let states = 0;
  for (const call of calls) {
    disk.take(call);
    if (!`${call.on}${call.rest}`.includes(rounds.copy) || !CHANGES.has(call.name)) continue;
    const loss = LOSSES[states++ % LOSSES.length] ?? 'any of it';
    disk.leave(left, loss, random);
    const found = await rounds.judge(left);
    t.strictSame(found, [], `seed ${seed}, ${loss} after call ${states}, ${call.name}`);
  }
  t.ok(states > 20, `${states} states`);
});
