/**
 * A process that opens a log, appends to it and closes it, always in the same steps. Each line that it prints is JSON:
 * `{"seq","path"}` for each acknowledged entry, `{"opened"}` with the size, at last `{"end"}`.
 */
import { openLineage } from '../../src/lineage/open.ts';
import { callDraft } from '../lineage/scratch-log.ts';

/** Entries in each batch: segments of 6,000 bytes are followed by others in between, and one batch fills a tile. */
const BATCHES = [1, 2, 1, 260, 1, 1, 2];
const SEGMENT_BYTES = 6000;
const NEVER_MS = 2 ** 30;

const [home = '', tag = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

try {
  const lineage = await openLineage({
    home,
    deadlineMs: 20_000,
    vouchMs: NEVER_MS,
    segmentBytes: SEGMENT_BYTES,
  });
  const opened = await lineage.health();
  print({ opened: opened.size, head: await lineage.checkpoint() });
  let failed: string | undefined;
  lineage.onFailure((cause) => (failed = cause.message));
  for (const [i, count] of BATCHES.entries()) {
    const before = failed;
    const paths = Array.from({ length: count }, (_, n) => `/${tag}/${i}/${n}`);
    const drafts = paths.map((path, n) => ({ ...callDraft(path), receipt: n === 0 }));
    const recorded = await lineage.appendAll(drafts).catch(() => []); // one batch, in the same steps each time
    for (const [n, { seq, evidence }] of recorded.entries())
      print({ seq, path: paths[n], proof: evidence?.proof, after: before });
  }
  print({ failed });
  await lineage.close();
  print({ end: 'closed' });
} catch (cause) {
  const { code, message } = cause as { code?: string; message: string }; // LogFault or LineageUnavailable
  print({ end: 'refused', code, message });
  process.exitCode = 3;
}
