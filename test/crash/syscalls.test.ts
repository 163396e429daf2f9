import { join } from 'node:path';
import t from 'tap';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { inject, occasions } from './injected.ts';
import { makeUncleanLog } from './unclean-log.ts';

t.setTimeout(600_000);

/** A fault of the disk, a full one, the end of a quota, and of the process. */
const ENDS = ['EIO', 'ENOSPC', 'SIGKILL', 'EDQUOT'] as const;

t.test(
  'whichever system call of the log’s writer fails or is its last, the promises hold',
  { skip: missing('strace') },
  async (t) => {
    const folder = scratchFolder(t);
    const log = makeUncleanLog(join(folder, 'home'));
    const untouched = await inject(log, folder);
    if (!untouched) return void t.plan(0, 'this machine lets nobody trace a process');
    t.strictSame(untouched.violations, []);
    const all = occasions(untouched.run, join(folder, 'copy'));
    t.ok(all.length > 60, `${all.length} calls, from the lock to the last rename`);
    for (const name of ['openat', 'write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'ftruncate'])
      t.ok(
        all.some(({ call }) => call === name),
        name,
      );
    const onSegments = untouched.run.calls
      .filter(({ on }) => on.includes('/segments/'))
      .map(({ name }) => name);
    const behindSyncs = onSegments.filter((_, i) => onSegments[i - 1] === 'fdatasync');
    t.ok(behindSyncs.length > 5, `${behindSyncs.length} batches`);
    t.strictSame(new Set(behindSyncs), new Set(['ftruncate']), 'no sync is believed before a transaction');
    const missed: string[] = [];
    for (const [i, occasion] of all.entries()) {
      // Each fails once here, or is the last one; fail-every-call.ts goes through all of both.
      const what = ENDS[i % ENDS.length] ?? 'EIO';
      const injected = await inject(log, folder, { ...occasion, with: what });
      const name = `${what} in ${JSON.stringify(occasion)}`;
      t.strictSame(injected?.violations, [], name);
      if (!injected?.run.reached) missed.push(name);
    }
    t.ok(missed.length <= all.length / 20, `all but a few were reached, not: ${missed.join(', ')}`);
  },
);
