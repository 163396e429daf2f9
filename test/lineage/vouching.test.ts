import { mkdirSync } from 'node:fs';
import t from 'tap';
import { openLineage } from '../../src/lineage/open.ts';
import { readVouched } from '../../src/lineage/replay.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, makeScratchLog } from './scratch-log.ts';

t.test(
  'a checkpoint file that cannot be kept up to date ends the log, also when nobody appends',
  async (t) => {
    const log = makeScratchLog(scratchFolder(t));
    const lineage = await openLineage({ home: log.home, deadlineMs: 5000, vouchMs: 10 });
    const failed = new Promise<Error>((resolve) => lineage.onFailure(resolve));
    mkdirSync(`${log.layout.checkpoint}.tmp`); // where the new checkpoint is written first
    t.match(await lineage.append({ ...callDraft('/x'), receipt: false }), { seq: 1 });
    t.match(await failed, { message: /EISDIR/ });
    t.match(await lineage.health(), { state: 'failed' });
    t.equal(readVouched(log.layout, log.identity.logKey).size, 1, 'the old one stands');
    await lineage.close();
  },
);
