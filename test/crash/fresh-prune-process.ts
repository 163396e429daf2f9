/** `fresh-prune-process.ts HOME`: makes a log of some segments and prunes it, all since the last time the disk was quiet. */
import { pruneLog, segmentedLog } from '../lineage/pruned-log.ts';

const [, , home = ''] = process.argv;
await pruneLog(segmentedLog(home, 600));
process.stdout.write('pruned\n');
