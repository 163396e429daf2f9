import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { TAP as Tap } from 'tap';
import { readEntries } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { makeScratchLog, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

const CHILD = fileURLToPath(new URL('appending-process.ts', import.meta.url));

/** What a writer printed that ran under a shell's limits until its log failed. */
function runUnder(prelude: string, home: string): { acknowledged: number[]; end: Record<string, unknown> } {
  // tap's loader, which NODE_OPTIONS brings, would handle the signals that Node ignores
  const script = `unset NODE_OPTIONS; ${prelude}; exec "$0" "$@"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, CHILD, home, 'x'], {
    encoding: 'utf8',
  });
  const lines = stdout.trim().split('\n');
  const end = JSON.parse(lines.pop() || JSON.stringify({ stderr })) as Record<string, unknown>;
  return { acknowledged: lines.map((line) => (JSON.parse(line) as { seq: number }).seq), end };
}

function checkAfter(
  t: Pick<Tap, 'ok' | 'match' | 'equal'>,
  log: ScratchLog,
  acknowledged: readonly number[],
): void {
  t.ok(acknowledged.length > 0, `${acknowledged.length} entries were acknowledged before`);
  openStore(log).close();
  const seqs = new Set([...readEntries(log.layout.segments)].map(({ seq }) => seq));
  t.equal(acknowledged.filter((seq) => !seqs.has(seq)).length, 0, 'each of them is there');
  t.match(verifyLog({ layout: log.layout, logKey: log.identity.logKey }), { ok: true, torn: 0 });
}

t.test('a write that fails is never acknowledged, and nothing after it', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const { acknowledged, end } = runUnder(`trap '' XFSZ; ulimit -f 30`, log.home);
  t.match(end, { failed: /EFBIG/, acknowledgedAfter: 0, refusal: true, state: 'failed' });
  checkAfter(t, log, acknowledged);
  t.end();
});

t.test('a full disk is never acknowledged, and the log goes on once there is room', (t) => {
  const folder = scratchFolder(t);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'none', disk], { stdio: 'ignore' });
  if (mounted.status !== 0) {
    t.pass('full disk', { skip: 'a small disk can only be mounted by root' });
    t.end();
    return;
  }
  t.teardown(() => void spawnSync('umount', ['-l', disk]));
  const log = makeScratchLog(join(disk, 'home'));
  const { acknowledged, end } = runUnder('true', log.home);
  t.match(end, { failed: /ENOSPC/, acknowledgedAfter: 0, refusal: true, state: 'failed' });
  spawnSync('mount', ['-o', 'remount,size=10m', disk]);
  checkAfter(t, log, acknowledged);
  t.end();
});
