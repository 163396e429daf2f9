/** One measurement of `lineage.ts`, in a process of its own: `lineage-part.ts fill|verify|start HOME SIZE`. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type * as GrantUses from '../../src/grant/uses.ts';
import type * as Layout from '../../src/lineage/layout.ts';
import type * as Identity from '../../src/lineage/identity.ts';
import type * as Open from '../../src/lineage/open.ts';
import type * as Crew from '../../src/lineage/scan-crew.ts';
import type * as Verify from '../../src/lineage/verify.ts';
import type * as Recount from '../../src/sidecar/recount.ts';
import { compiled } from './compiled.ts';

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
async function fill(): Promise<void> {
  const { callDraft, makeScratchLog, openStore, scratchLog } = await import('../lineage/scratch-log.ts');
  const { keepCounts } = await compiled<typeof Recount>('sidecar/recount');
  const { layoutOf } = await compiled<typeof Layout>('lineage/layout');
  const store = openStore(existsSync(layoutOf(home).segments) ? scratchLog(home) : makeScratchLog(home));
  while (store.size < size) {
    const missing = Math.min(BATCH, size - store.size);
    store.append(Array.from({ length: missing }, (_, i) => callDraft(`/repos/acme/${store.size + i}`)));
  }
  store.close();
  keepCounts(home, Date.now);
}

async function verify(): Promise<void> {
  const { ScanCrew } = await compiled<typeof Crew>('lineage/scan-crew');
  const { verifyLargeLog } = await compiled<typeof Verify>('lineage/verify');
  const { readIdentity } = await compiled<typeof Identity>('lineage/identity');
  const layout = (await compiled<typeof Layout>('lineage/layout')).layoutOf(home);
  const crew = new ScanCrew(Math.min(availableParallelism(), 3));
  const report = await verifyLargeLog({ layout, logKey: readIdentity(layout).logKey }, crew);
  await crew.close();
  if (!report.ok || report.size !== size) throw new Error(JSON.stringify(report));
}

/** As a sidecar does: open, then count uses. */
async function start(): Promise<void> {
  const { openLineage } = await compiled<typeof Open>('lineage/open');
  const { recount } = await compiled<typeof Recount>('sidecar/recount');
  const { Uses } = await compiled<typeof GrantUses>('grant/uses');
  const lineage = await openLineage({ home, deadlineMs: 60_000 });
  recount(home, new Uses(Date.now));
  await lineage.close();
}
