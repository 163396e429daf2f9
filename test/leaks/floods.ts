/**
 * By hand: `node test/leaks/floods.ts [names]`. Each flood from a process of its own beside honest clients; what it does to
 * their p99 (median of three rounds with and without, in turns) and to the memory of a sidecar that was just started;
 * `WRIT_FLOOD_WARM=60` has served 18,000 calls before, whose own needs are not counted then.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { exchange } from '../e2e/wire.ts';
import { pourFor } from './bodies.ts';
import { floods } from './flood.ts';
import { BOUND_DIGEST } from './slow.ts';
import { startStage } from './stage.ts';
import type { Answer, Stage } from './stage.ts';

const ROUNDS = Number(process.env['WRIT_FLOOD_ROUNDS'] ?? 3);
const WARM = Number(process.env['WRIT_FLOOD_WARM'] ?? ROUNDS);
const CALLS = 300;
const SIDE_BY_SIDE = 4;
/** Until a flood that has begun is decided, and until what was left of it is gone. */
const REST_MS = 3000;
const FRAME = Buffer.alloc(64 * 1024, 'writ');
const program = fileURLToPath(new URL('flood.ts', import.meta.url));
const only = process.argv.slice(2);

for (const name of only.length > 0 ? only : Object.keys(floods)) await measure(name);
process.exit();

async function measure(name: string): Promise<void> {
  const last: (() => unknown)[] = [];
  const on = await startStage({ teardown: (then) => last.unshift(then) }, answer, send);
  const [without, under]: [number[], number[]] = [[], []];
  for (let i = 0; i < WARM; i++) await honest(on);
  const before = on.sidecar.memory('VmRSS');
  let peak = before;
  let failed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    without.push((await honest(on)).p99);
    const flood = spawn(process.execPath, [program, targetOf(on, name)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const timer = setInterval(() => (peak = Math.max(peak, on.sidecar.memory('VmRSS'))), 100);
    await once(flood.stdout, 'data'); // it runs
    await sleep(REST_MS);
    const measured = await honest(on);
    under.push(measured.p99);
    failed += measured.failed;
    clearInterval(timer);
    flood.kill('SIGKILL');
    if (flood.exitCode === null && flood.signalCode === null) await once(flood, 'exit');
    await sleep(REST_MS);
  }
  const [calm, pressed] = [median(without), median(under)];
  const [grownMiB, fromMiB] = [Math.round((peak - before) / 1024), Math.round(before / 1024)];
  console.log(
    JSON.stringify({ name, p99: calm, under: pressed, ratio: round2(pressed / calm), failed, grownMiB, fromMiB }),
  );
  for (const then of last) await then();
} // prettier-ignore

function targetOf(on: Stage, name: string): string {
  const { tls, passthrough, plain, webSocket, grant, sidecar } = on;
  const [port, home] = [sidecar.port('forward'), sidecar.home.path];
  const bound = on.bound(BOUND_DIGEST);
  return JSON.stringify({ name, port, home, tls, passthrough, plain, webSocket, grant, bound });
}

/** To `/endless` and `/events` as much as is taken, to `/sink` nothing while its body comes. */
function answer(...[request, response]: Parameters<Answer>): void {
  request.on('error', () => undefined).resume();
  response.on('error', () => undefined);
  if (request.url === '/sink') request.on('end', () => response.end('ok'));
  else if (request.url !== '/endless' && request.url !== '/events') response.end('ok');
  else {
    response.setHeader('content-type', request.url === '/events' ? 'text/event-stream' : 'text/plain');
    pourFor(response).catch(() => undefined); // the reader went away
  }
}

function send(socket: WebSocket): void {
  socket.send(FRAME, () => {
    if (socket.readyState === socket.OPEN) send(socket);
  });
}

/** Milliseconds, and how many calls were not answered 200. */
async function honest({ plain, others, sidecar }: Stage): Promise<{ p99: number; failed: number }> {
  const took: number[] = [];
  let failed = 0;
  const bytes = `GET http://${plain}/ HTTP/1.1\r\nHost: ${plain}\r\nWrit-Grant: ${others}\r\n\r\n`;
  const worker = async (): Promise<void> => {
    while (took.length + failed < CALLS) {
      const began = performance.now();
      const reply = await exchange(sidecar.port('forward'), bytes).catch(() => undefined);
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
