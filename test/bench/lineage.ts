/**
 * `npm run bench:lineage`: what an append costs until it is durable, with 1, 16 and 64 of them waiting at any time; and
 * how long a start and a full verification take, and how much memory, as the log grows. `WRIT_BENCH_SIZES` names other
 * sizes (10,000,000 entries take some 8 GB and a quarter of an hour), `WRIT_BENCH_SECONDS` how long appends are measured,
 * `TMPDIR` where.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type * as Open from '../../src/lineage/open.ts';
import { callDraft, makeScratchLog } from '../lineage/scratch-log.ts';
import { compiled } from './compiled.ts';

const WAITING = [1, 16, 64];
const SECONDS = Number(process.env['WRIT_BENCH_SECONDS'] ?? 5);
const SIZES = (process.env['WRIT_BENCH_SIZES'] ?? '100000,1000000').split(',').map(Number);

const { openLineage } = await compiled<typeof Open>('lineage/open');
const folder = mkdtempSync(join(tmpdir(), 'writ-bench-lineage-'));
const tell = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  tell('| waiting appends | appends/s | p50 | p99 |\n|---|---|---|---|');
  for (const waiting of WAITING) tell(await measureAppends(waiting));
  tell(
    '\n| entries | verify | entries/s | its peak memory | start | its peak memory |\n|---|---|---|---|---|---|',
  );
  const home = join(folder, 'large');
  for (const size of SIZES) tell(await measureSize(home, size));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** So many callers, each of whom appends the next entry once its last one is durable. */
async function measureAppends(waiting: number): Promise<string> {
  const home = join(folder, String(waiting));
  makeScratchLog(home);
  const lineage = await openLineage({ home, deadlineMs: 60_000 });
  const took: number[] = [];
  const from = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - from < 1000 * SECONDS) {
      const asked = performance.now();
      await lineage.append({ ...callDraft('/bench'), receipt: false });
      took.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: waiting }, caller));
  const rate = took.length / ((performance.now() - from) / 1000);
  await lineage.close();
  took.sort((a, b) => a - b);
  const [p50 = 0, p99 = 0] = [0.5, 0.99].map((part) => took[Math.floor(part * took.length)]);
  return `| ${waiting} | ${Math.round(rate)} | ${p50.toFixed(2)} ms | ${p99.toFixed(2)} ms |`;
}

interface Measured {
  readonly seconds: number;
  readonly mebibytes: number;
}

/** Each measurement has a process of its own, so that memory is its own too. */
async function measureSize(home: string, size: number): Promise<string> {
  await part('fill', home, size);
  const verify = await part('verify', home, size);
  const start = await part('start', home, size);
  const rate = Math.round(size / verify.seconds);
  return (
    `| ${size} | ${verify.seconds.toFixed(1)} s | ${rate} | ${verify.mebibytes} MiB ` +
    `| ${Math.round(1000 * start.seconds)} ms | ${start.mebibytes} MiB |`
  );
}

async function part(what: string, home: string, size: number): Promise<Measured> {
  const script = fileURLToPath(new URL('lineage-part.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, what, home, String(size)]);
  return JSON.parse(stdout) as Measured; // lineage-part.ts prints exactly one
}
