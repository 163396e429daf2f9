/** A pruning that is killed at any of its steps leaves a good log, and the next one brings it to its end. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { chainHash } from '../../src/lineage/audit.ts';
import { listSegments } from '../../src/lineage/layout.ts';
import { findPosition } from '../../src/lineage/position.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { missing, run } from '../e2e/program.ts';
import { prunableOf, pruneLog, segmentedLog } from '../lineage/pruned-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { openStore, scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';

const PROCESS = fileURLToPath(new URL('prune-process.ts', import.meta.url));
const ENTRIES = 800;

/** The n-th call of a name is the last one: those that change what is on disk, in the order in which a pruning makes them. */
const kills: readonly [call: string, when: number][] = [
  ['fsync', 2], // the tiles are being secured
  ['fdatasync', 1], // the gap entry was written, but not synced
  ['rename', 1], // the checkpoint that vouches for it
  ['rename', 2], // the note that tells which entry it is
  ['rename', 3], // entry 0 alone, in place of the first segment
  ['unlink', 1],
  ['unlink', 4],
]; // prettier-ignore

t.setTimeout(600_000);

async function prunes(home: string, [call, when]: readonly [string, number]): Promise<string> {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`];
  const args = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    ...inject,
    'env',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    PROCESS,
    home,
  ];
  const { stdout, stderr } = await run('strace', args);
  return stdout + stderr;
}

/** Each entry that is there follows the one before (BLAKE2b), but over one gap, and the newest is there. */
function assertKept(
  t: Parameters<typeof scratchFolder>[0] & { ok: (is: unknown, name: string) => unknown },
  log: ScratchLog,
): void {
  const entries = [...readEntries(log.layout.segments)];
  const breaks = entries
    .slice(1)
    .filter(({ bytes }, i) => findPosition(bytes)?.prev !== chainHash(entries[i]?.bytes ?? bytes));
  t.ok(
    entries[0]?.seq === 0 && breaks.length <= 1 && (entries.at(-1)?.seq ?? 0) >= ENTRIES,
    'one gap at most',
  );
}

t.test('killed at any step', { skip: missing('strace') }, async (t) => {
  const folder = scratchFolder(t);
  const whole = segmentedLog(join(folder, 'whole'), ENTRIES);
  const untouched = await prunes(copy('untouched'), ['rename', 999]);
  if (untouched !== 'pruned\n') return void t.pass(`nobody may be traced here: ${untouched}`);
  for (const kill of kills) {
    const name = kill.join(' ');
    const home = copy(name.replace(' ', '-'));
    t.notMatch(await prunes(home, kill), 'pruned', `${name}: it was killed`);
    const log = scratchLog(home);
    assertKept(t, log);
    t.match(
      verifyLog({ layout: log.layout, logKey: log.identity.logKey }),
      { ok: true },
      `${name}: the log is good`,
    );
    openStore(log).close();
    t.match(
      verifyLog({ layout: log.layout, logKey: log.identity.logKey }),
      { ok: true, torn: 0 },
      `${name}: it starts`,
    );
    if (!('why' in prunableOf(log))) await pruneLog(log);
    assertKept(t, log);
    t.match(
      verifyLog({ layout: log.layout, logKey: log.identity.logKey }),
      { ok: true, pruned: {} },
      `${name}: pruned`,
    );
    t.ok((listSegments(log.layout.segments)[1]?.first ?? 0) > 600, `${name}: to its end`);
  }

  function copy(name: string): string {
    const home = join(folder, name);
    rmSync(home, { recursive: true, force: true });
    cpSync(whole.home, home, { recursive: true });
    return home;
  }
});
