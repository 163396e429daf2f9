import { join } from 'node:path';
import t from 'tap';
import { lockLog } from '../../src/lineage/lock.ts';
import { SmallDisk } from '../crash/small-disk.ts';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from './scratch-folder.ts';
import { makeScratchLog } from './scratch-log.ts';

const skip = process.getuid?.() === 0 ? missing('mkfs.ext4') : 'only root can mount a disk';

t.test('a disk that is too full for the lock is told as one, with what to do', { skip }, async (t) => {
  const disk = await SmallDisk.mount(t, join(scratchFolder(t), 'disk'), 2);
  if (typeof disk === 'string') return void t.pass(disk);
  const { layout } = makeScratchLog(join(disk.path, 'home'));
  disk.fill(0);
  t.throws(() => lockLog(layout), { code: 'log_no_room', message: /Make room/ });
  disk.relieve();
  lockLog(layout).release();
});
