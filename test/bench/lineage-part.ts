/** One measurement of `lineage.ts`, in a process of its own: `lineage-part.ts fill|verify|start HOME SIZE`. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Uses } from '../../src/grant/uses.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { ScanCrew } from '../../src/lineage/scan-crew.ts';
import { verifyLargeLog } from '../../src/lineage/verify.ts';
import { keepCounts, recount } from '../../src/sidecar/recount.ts';
import { callDraft, makeScratchLog, openStore, scratchLog } from '../lineage/scratch-log.ts';

/** Larger than calls make them, so that ten million entries are written in minutes. */
const BATCH = 256;
const [, , what, home = '', count] = process.argv;
const size = Number(count);

const parts: Readonly<Record<string, () => void | Promise<void>>> = { fill, verify, start };
const from = performance.now();
await parts[what ?? '']?.();
const seconds = (performance.now() - from) / 1000;
const mebibytes = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(JSON.stringify({ seconds, mebibytes }));

/** Lets the store itself write the log, and the snapshot of use counts that a sidecar keeps. */
function fill(): void {
  const store = openStore(existsSync(layoutOf(home).segments) ? scratchLog(home) : makeScratchLog(home));
  while (store.size < size) {
    const missing = Math.min(BATCH, size - store.size);
    store.append(Array.from({ length: missing }, (_, i) => callDraft(`/repos/acme/${store.size + i}`)));
  }
  store.close();
  keepCounts(home, Date.now);
}

async function verify(): Promise<void> {
  const { layout, identity } = scratchLog(home);
  const crew = new ScanCrew(Math.min(availableParallelism(), 3));
  const report = await verifyLargeLog({ layout, logKey: identity.logKey }, crew);
  await crew.close();
  if (!report.ok || report.size !== size) throw new Error(JSON.stringify(report));
}

/** As a sidecar does: open, then count uses. */
async function start(): Promise<void> {
  const lineage = await openLineage({ home, deadlineMs: 60_000 });
  recount(home, new Uses(Date.now));
  await lineage.close();
}
