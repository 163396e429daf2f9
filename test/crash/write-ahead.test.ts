import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { serve } from '../e2e/child-sidecar.ts';
import { missing } from '../e2e/program.ts';
import { checkLog } from './checker.ts';
import { countingOrigin, Load } from './load.ts';
import { readTrace, watch } from './trace.ts';
import type { SystemCall } from './trace.ts';
import { violations } from './violations.ts';
import { judgeOrder } from './write-ahead-order.ts';
import type { Ports } from './write-ahead-order.ts';

const CALLERS = 64;
const ANSWERS = 400;

t.setTimeout(600_000);

t.test(
  'under load, nothing leaves before its decision is on disk',
  { skip: missing('strace') },
  async (t) => {
    const origin = await countingOrigin(t);
    // Small segments, so that the order is also seen where one follows the other.
    const settings = { lineage: { segment_bytes: 65_536, deadline_ms: 60_000 } };
    const sidecar = await serve(t, { origins: [origin], settings });
    const ports = { origin: origin.port, forward: sidecar.port('forward') };
    const file = join(t.testdir(), 'trace');
    const watched = await watch(sidecar.pid, file);
    if (!watched) return void t.plan(0, 'this machine lets nobody trace a process');

    const load = new Load({
      home: sidecar.home,
      origin,
      port: ports.forward,
      callers: CALLERS,
      name: 'traced',
    });
    await load.answered(ANSWERS);
    await load.stop();
    t.equal((await sidecar.stop()).code, 0);
    await watched.over;

    const { home } = sidecar;
    const seen = { arrived: origin.paths, answers: load.answers, earlier: [] };
    t.strictSame(violations(checkLog(home.path, home.origin), seen), []);

    const trace = readTrace(readFileSync(file, 'latin1'));
    const order = judgeOrder(trace, ports);
    t.strictSame(order.violations, []);
    t.equal(order.forwarded, origin.paths.length, 'every request that arrived was seen to leave');
    t.equal(order.refused, load.answers.filter(({ status }) => status === 403).length, 'every 403 too');
    t.ok(
      order.dialled > 0 && order.forwarded > 0 && order.refused > 0,
      JSON.stringify({ ...order, violations: undefined }),
    );
    t.ok(order.syncs < load.answers.length, 'although one sync covers many calls');
    t.equal(trace.filter(({ name }) => /^(sendfile|splice)$/.test(name)).length, 0, 'by no other way');

    t.test('a trace in another order is found', (t) => {
      checkDoctored(t, trace, ports);
      t.end();
    });
  },
);

type Doctor = (trace: readonly SystemCall[]) => readonly SystemCall[];

/** The same trace, told differently. */
function checkDoctored(t: Test, trace: readonly SystemCall[], ports: Ports): void {
  const isLogSync = ({ name, on }: SystemCall): boolean => name === 'fdatasync' && on.includes('/segments/');
  const to =
    (port: RegExp): Doctor =>
    (calls) =>
      calls.map((call) => (port.test(call.on) && call.bytes.length > 0 ? { ...call, entered: -1 } : call));
  const syncs =
    (change: (call: SystemCall) => SystemCall): Doctor =>
    (calls) =>
      calls.map((call) => (isLogSync(call) ? change(call) : call));
  const rows: [string, Doctor, RegExp][] = [
    ['no sync at all', (calls) => calls.filter((call) => !isLogSync(call)), /never durable/],
    ['syncs that fail', syncs((call) => ({ ...call, result: -1 })), /never durable/],
    ['syncs of other files', syncs((call) => ({ ...call, on: '9</tmp/other.log>' })), /never durable/],
    ['syncs that began before the write', syncs((call) => ({ ...call, entered: -1 })), /never durable/],
    ['syncs that return later', syncs((call) => ({ ...call, returned: call.returned + 1000 })), /a request .* durable from/],
    ['requests that leave at once', to(new RegExp(`->127\\.0\\.0\\.1:${ports.origin}\\]`)), /a request .* durable from/],
    ['a 403 that leaves at once', to(new RegExp(`\\[127\\.0\\.0\\.1:${ports.forward}->`)), /a 403 .* durable from/],
    ['connections that are opened at once', (calls) => calls.map((call) => (call.name === 'connect' ? { ...call, entered: -1 } : call)), /was opened at line -1/],
  ]; // prettier-ignore
  for (const [name, doctor, wanted] of rows)
    t.match(judgeOrder(doctor(trace), ports).violations.join('\n'), wanted, name);
}
