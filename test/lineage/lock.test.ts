import { join } from 'node:path';
import t from 'tap';
import { lockLog, lockRetention } from '../../src/lineage/lock.ts';
import { SmallDisk } from '../crash/small-disk.ts';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from './scratch-folder.ts';
import { makeScratchLog } from './scratch-log.ts';

const skip = process.getuid?.() === 0 ? missing('mkfs.ext4') : 'only root can mount a disk';

t.test('a full disk can be locked, so that what lies on it can be pruned', { skip }, async (t) => {
  const disk = await SmallDisk.mount(t, join(scratchFolder(t), 'disk'), 2);
  if (typeof disk === 'string') return void t.pass(disk);
  const { layout } = makeScratchLog(join(disk.path, 'home'));
  disk.fill(0);
  for (const lock of [lockLog, lockRetention]) {
    const held = lock(layout);
    t.throws(() => lock(layout), { code: 'log_locked' });
    held.release();
    lock(layout).release();
  }
});
