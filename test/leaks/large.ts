/**
 * By hand: `node test/leaks/large.ts [GiB in the clear] [GiB in TLS and HTTP/2]`, 10 and 2 by default. Large bodies both ways,
 * then readers of 10 KB/s before origins that send as fast as they can; what memory the sidecar takes for each.
 */
import { answerBody, begin, carry, PIECE_BYTES, sent } from './bodies.ts';
import type { Way } from './bodies.ts';
import { startStage } from './stage.ts';

const GIB = 1024 ** 3;
const [clear = 10, inside = 2] = process.argv.slice(2).map(Number);
const last: (() => unknown)[] = [];
const on = await startStage({ teardown: (then) => last.unshift(then) }, (request, response) => {
  answerBody(request, response).catch(() => undefined); // the reader went away
});
const WAYS: readonly Way[] = ['h1', 'tls', 'h2'];
const SECOND = 1000;
const READ_BYTES = 1000;
const READS = 200;

for (const way of WAYS) for (const up of [true, false]) await carry(on, way, { up, pieces: 64 });
for (const way of WAYS) {
  for (const up of [true, false]) {
    const pieces = ((way === 'h1' ? clear : inside) * GIB) / PIECE_BYTES;
    const before = on.sidecar.memory('VmRSS');
    const began = performance.now();
    const { value: bytes, peak } = await watched(carry(on, way, { up, pieces }));
    const seconds = Math.round((performance.now() - began) / SECOND);
    const whole = bytes === pieces * PIECE_BYTES;
    tell({ way, up, GiB: bytes / GIB, whole, seconds, grownMiB: mib(peak - before) });
  }
}
for (const way of WAYS) {
  sent.pieces = 0;
  const before = on.sidecar.memory('VmRSS');
  const { value: read, peak } = await watched(readSlowly(way));
  tell({ way, read, pushedMiB: (sent.pieces * PIECE_BYTES) / 1024 ** 2, grownMiB: mib(peak - before) });
}
for (const then of last) await then();
process.exit();

/** 10 KB/s for 20 seconds. */
async function readSlowly(way: Way): Promise<number> {
  const call = await begin(on, way, { method: 'GET', path: '/1000000' });
  call.up.end();
  const down = await call.down;
  down.on('error', () => undefined);
  let read = 0;
  for (let i = 0; i < READS; i++) {
    const chunk: unknown = down.read(READ_BYTES);
    if (chunk instanceof Buffer) read += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, SECOND / 10));
  }
  call.close();
  return read;
}

/** What it resolves with, and the most memory (KiB) that was resident meanwhile. */
async function watched<T>(task: Promise<T>): Promise<{ value: T; peak: number }> {
  let peak = on.sidecar.memory('VmRSS');
  const timer = setInterval(() => (peak = Math.max(peak, on.sidecar.memory('VmRSS'))), 50);
  const value = await task;
  clearInterval(timer);
  return { value, peak };
}

function mib(kib: number): number {
  return Math.round(kib / 102.4) / 10;
}

function tell(row: object): void {
  console.log(JSON.stringify(row));
}
