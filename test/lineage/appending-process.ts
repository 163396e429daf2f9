/**
 * A process that appends to a log until it is killed or the log fails. Each line that it prints is JSON: `{"seq","path"}`
 * for each acknowledged entry, at the end `{"failed","acknowledgedAfter","refusal","state"}`.
 */
import { openLineage } from '../../src/lineage/open.ts';
import { refusalText } from '../../src/lineage/statement.ts';
import { callDraft } from './scratch-log.ts';

const [home = '', tag = '', lanes = '8'] = process.argv.slice(2);
const lineage = await openLineage({ home, deadlineMs: 5000, vouchMs: 20, segmentBytes: 64 * 1024 });
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

let failed: string | undefined;
let acknowledgedAfter = 0;
let count = 0;
lineage.onFailure((cause) => (failed = cause.message));

async function lane(name: number): Promise<void> {
  for (;;) {
    const path = `/${tag}/${name}/${count++}`;
    try {
      const { seq } = await lineage.append({ ...callDraft(path), receipt: name === 0 });
      if (failed !== undefined) acknowledgedAfter++;
      print({ seq, path });
    } catch {
      return;
    }
  }
}

await Promise.all(Array.from({ length: Number(lanes) }, (_, name) => lane(name)));
const refusal = await lineage.refuse(
  refusalText('00000000-0000-4000-8000-000000000000', { why: 'log_unavailable' }),
);
const { state } = await lineage.health();
print({ failed, acknowledgedAfter, refusal: refusal.length > 0, state });
await lineage.close();
