/**
 * A file system that gives up its journal: between that and its telling so, `fdatasync` succeeds for what is not kept
 * (ext4, one time in ten). Whatever a log acknowledged is there all the same.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missing } from '../e2e/program.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { makeScratchLog } from '../lineage/scratch-log.ts';
import { SmallDisk } from './small-disk.ts';

const APPENDING = fileURLToPath(new URL('../lineage/appending-process.ts', import.meta.url));
const ROUNDS = Number(process.env['WRIT_LYING_ROUNDS'] ?? 8);
const MEGABYTES = 16;
const skip =
  process.getuid?.() === 0 ? missing('mkfs.ext4') || missing('e2fsck') : 'only root can mount a disk';

t.setTimeout(300_000);

t.test('an entry that was acknowledged is there, whatever a sync had said', { skip }, async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const home = mkdtempSync(join(tmpdir(), 'writ-lying-'));
    t.teardown(() => rmSync(home, { recursive: true, force: true }));
    const disk = await SmallDisk.mount(t, home, MEGABYTES);
    if (typeof disk === 'string') return void t.pass(disk);
    const { layout } = makeScratchLog(join(home, 'log'));
    const acknowledged = await appendUntil(join(home, 'log'), 30 + 5 * round, () => disk.turnReadOnly());
    await disk.repair();
    const kept = new Set<number>();
    for (const { seq } of readEntries(layout.segments)) kept.add(seq);
    t.strictSame(
      acknowledged.filter((seq) => !kept.has(seq)),
      [],
      `round ${round}: all of ${acknowledged.length} are there`,
    );
  }
});

/** What a process acknowledged until its log failed; `hit` is what makes it fail, once there are so many. */
async function appendUntil(
  home: string,
  count: number,
  hit: () => Promise<void>,
): Promise<readonly number[]> {
  const child = spawn(process.execPath, [APPENDING, home, 'lying', '1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const acknowledged: number[] = [];
  let struck: Promise<void> | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const { seq } = JSON.parse(line) as { readonly seq?: number }; // what appending-process.ts prints
    if (seq !== undefined) acknowledged.push(seq);
    if (acknowledged.length >= count) struck ??= hit();
  }
  await struck;
  await ended;
  return acknowledged;
}
