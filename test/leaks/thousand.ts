/** By hand: `node test/leaks/thousand.ts [count]`. 1,000 aborted clients of every kind, and what is left of each. */
import { calm, grown, kinds, leave, settled } from './rounds.ts';
import { startStage } from './stage.ts';

const MIB = 1024 * 1024;
const count = Number(process.argv[2] ?? 1000);
const last: (() => unknown)[] = [];
const on = await startStage({ teardown: (then) => last.unshift(then) });

for (const kind of kinds) await leave(on, kind, 25); // connections, caches and compiled code are there from here on
const first = await calm(on);
const rss = on.sidecar.memory('VmRSS');
for (const kind of kinds) {
  const began = performance.now();
  await leave(on, kind, count);
  const seconds = round((performance.now() - began) / 1000);
  const after = await settled(on, first);
  const heapMiB = round((after.heap - first.heap) / MIB);
  const rssMiB = round((on.sidecar.memory('VmRSS') - rss) / 1024);
  console.log(
    JSON.stringify({
      kind,
      count,
      seconds,
      left: grown(first, after),
      resources: after.resources,
      heapMiB,
      rssMiB,
    }),
  );
}
const { length } = on.sidecar.home.entries().filter(({ is }) => is['ended'] === 'client-abort');
console.log(JSON.stringify({ 'on record as client-abort': length }));
console.log(JSON.stringify(on.sidecar.lines.filter(({ msg }) => /Warning/.test(msg)).map(({ msg }) => msg)));
for (const then of last) await then();

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
