/**
 * By hand: `node test/leaks/floods.ts`. Floods from a process of their own, over several connections, beside honest clients;
 * what that does to their p99 (median of three rounds with and without, in turns) and to the sidecar's memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { exchange } from '../e2e/wire.ts';
import { floods } from './flood.ts';
import { startStage } from './stage.ts';

const ROUNDS = 3;
const CALLS = 300;
const SIDE_BY_SIDE = 4;
const last: (() => unknown)[] = [];
const on = await startStage({ teardown: (then) => last.unshift(then) }, (_request, response) => {
  response.end('ok');
});
const port = on.sidecar.port('forward');
const program = fileURLToPath(new URL('flood.ts', import.meta.url));
const only = process.argv.slice(2);

await honest();
for (const name of only.length > 0 ? only : Object.keys(floods)) {
  const [without, under]: [number[], number[]] = [[], []];
  const before = on.sidecar.memory('VmRSS');
  let peak = before;
  let failed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    without.push((await honest()).p99);
    const { tls, grant, sidecar } = on;
    const given = JSON.stringify({ name, port, tls, grant, home: sidecar.home.path });
    const flood = spawn(process.execPath, [program, given], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(flood.stdout, 'data'); // it runs
    const measured = await honest();
    under.push(measured.p99);
    failed += measured.failed;
    peak = Math.max(peak, sidecar.memory('VmRSS'));
    flood.kill('SIGKILL');
    if (flood.exitCode === null && flood.signalCode === null) await once(flood, 'exit');
  }
  const [calm, pressed] = [median(without), median(under)];
  const grownMiB = Math.round((peak - before) / 1024);
  console.log(
    JSON.stringify({ name, p99: calm, under: pressed, ratio: round2(pressed / calm), failed, grownMiB }),
  );
}
for (const then of last) await then();
process.exit();

/** Milliseconds, and how many calls were not answered 200. */
async function honest(): Promise<{ p99: number; failed: number }> {
  const took: number[] = [];
  let failed = 0;
  const bytes = `GET http://${on.plain}/ HTTP/1.1\r\nHost: ${on.plain}\r\nWrit-Grant: ${on.grant}\r\n\r\n`;
  const worker = async (): Promise<void> => {
    while (took.length + failed < CALLS) {
      const began = performance.now();
      const reply = await exchange(port, bytes).catch(() => undefined);
      if (reply?.status === 200) took.push(performance.now() - began);
      else failed += 1;
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  took.sort((a, b) => a - b);
  return { p99: round2(took[Math.floor(took.length * 0.99)] ?? NaN), failed };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
