/** Prints how large the young generations of main and of two threads become under the same load, in bytes. */
import { once } from 'node:events';
import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { keepThreadHeapsSmall } from '../../src/sidecar/thread-heaps.ts';

const KEPT = 60_000;
const ROUNDS = 60;

/** The size of the young generation after rounds of garbage of which a part lives on for one round each. */
function largest(): number {
  let most = 0;
  let kept: object[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    kept = Array.from({ length: KEPT }, (_, i) => ({ i, round }));
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    most = Math.max(most, young?.space_size ?? 0);
  }
  return kept.length > 0 ? most : 0;
}

async function inThread(): Promise<number> {
  const [size] = (await once(new Worker(new URL(import.meta.url)), 'message')) as [number];
  return size;
}

if (isMainThread) {
  const before = await inThread();
  keepThreadHeapsSmall();
  const after = await inThread();
  process.stdout.write(JSON.stringify({ main: largest(), before, after }));
} else parentPort?.postMessage(largest());
