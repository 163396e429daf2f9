/** `prune-process.ts HOME`: prunes a scratch log, to be killed while it does. */
import { pruneLog } from '../lineage/pruned-log.ts';
import { scratchLog } from '../lineage/scratch-log.ts';

const [, , home = ''] = process.argv;
await pruneLog(scratchLog(home));
process.stdout.write('pruned\n');
