/**
 * A broken program (threats.md §4): an exception that nobody caught, a rejection that nobody handled, a key that signs no
 * more, each in the middle of a response that streams. It is cut, nothing further is forwarded, and the log is good.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { assertReceipt } from '../e2e/denied.ts';
import { makeHome } from '../e2e/home.ts';
import { echo, startOrigin } from '../e2e/origin.ts';
import type { Origin } from '../e2e/origin.ts';
import { exchange, forwardHead } from '../e2e/wire.ts';
import type { Reply } from '../e2e/wire.ts';

const FAULTS = new URL('faults.ts', import.meta.url);
const DRIP_MS = 2;

/** A sidecar with a response that streams through it. */
interface Stage {
  readonly sidecar: ChildSidecar;
  readonly origin: Origin;
  /** The response, and its end. */
  readonly stream: IncomingMessage;
  readonly streamed: Promise<unknown>;
}

/** What breaks, and what an agent is told then. */
interface Row {
  readonly name: string;
  readonly fault: string;
  /** What the process says about it. */
  readonly says: string;
  /** Whether its log is closed well. Where not it verifies, and the next start recovers. */
  readonly closed: boolean;
  /** Why the call that streams is cut. */
  readonly by: string;
  /** So many denials are recorded one by one; they are used up before it breaks. */
  readonly burst?: number;
  /** Calls until it shows, where it shows by a call. */
  readonly provoke?: (t: Test, on: Stage) => Promise<void>;
}

const EXCEPTION = { says: 'a fault of the program; stopping', closed: true, by: 'lease_stopped' };
const WRITER = { says: 'the log cannot record any more', closed: false, by: 'log_unavailable' };

const rows: readonly Row[] = [
  { name: 'a rejection in main', fault: 'unhandled-rejection', ...EXCEPTION },
  { name: 'exceptions in main, again and again', fault: 'many-exceptions', ...EXCEPTION },
  { name: 'a rejection in the writer', fault: 'writer-rejects', ...WRITER },
  { name: 'no receipt is signed', fault: 'signs-no-receipts', ...WRITER, provoke: deniedBare },
  { name: 'no refusal is signed', fault: 'signs-no-receipts', ...WRITER, burst: 20, provoke: deniedBare },
  { name: 'no checkpoint is signed', fault: 'signs-no-checkpoints', ...WRITER, provoke: deniedWithReceipt },
]; // prettier-ignore

t.jobs = 3;
for (const row of rows)
  t.test(row.name, { buffered: true }, async (t) => {
    const on = await stage(t, row);
    const { sidecar, origin, stream, streamed } = on;
    for (let used = 0; used < (row.burst ?? 0); used++) await get(on, '/denied', { paths: ['/other'] });
    sidecar.signal('SIGUSR2');
    await row.provoke?.(t, on);
    await sidecar.says(row.says);
    const arrived = origin.seen.length;
    t.not(await readyz(sidecar), 200, 'it is not ready');
    const last = await get(on, '/after');
    if (last) t.match(last, { status: 403, body: /"code":"(stopping|log_unavailable)"/ });
    await streamed;
    t.notOk(stream.complete, 'what streamed was cut');
    t.match(await sidecar.exited, { code: 3 });
    t.equal(origin.seen.length, arrived, 'nothing more was forwarded');
    t.equal(origin.sockets.size, 0, 'no connection is left');
    assertLog(t, on, row);
  });

async function stage(t: Test, { fault, burst = 1000 }: Row): Promise<Stage> {
  const origin = await startOrigin(t, (asked, response) => {
    if (asked.url !== '/drip') return echo(asked, response);
    const drip = setInterval(() => response.write('drop'), DRIP_MS);
    response.once('close', () => clearInterval(drip));
  });
  const settings = {
    denial: { recorded_burst: burst, recorded_per_second: 1 },
    stop: { grace_seconds: 3600 },
  };
  const home = await makeHome(t, { origins: [origin], settings });
  const nodeArgs = ['--import', `${FAULTS.href}?${fault}`];
  const sidecar = await ChildSidecar.start(t, home, { nodeArgs });
  const headers = { host: new URL(origin.url).host, 'writ-grant': home.grant() };
  const asked = request({ host: '127.0.0.1', port: sidecar.port('forward'), path: `${origin.url}/drip`, headers, agent: false }); // prettier-ignore
  const [stream] = (await once(asked.end(), 'response')) as [IncomingMessage];
  const streamed = new Promise((resolve) => stream.on('error', () => undefined).once('close', resolve));
  await once(stream, 'data');
  return { sidecar, origin, stream, streamed };
}

/** Undefined where nobody answers. */
async function get({ sidecar, origin }: Stage, path: string, entry = {}): Promise<Reply | undefined> {
  const grant = sidecar.home.grant({ entry });
  const head = forwardHead('GET', origin.url + path, `Writ-Grant: ${grant}`);
  return exchange(sidecar.port('forward'), head).catch(() => undefined);
}

/** The status of `/readyz`; undefined where nobody answers. */
async function readyz(sidecar: ChildSidecar): Promise<number | undefined> {
  const asked = fetch(`http://127.0.0.1:${sidecar.port('admin')}/readyz`);
  return asked.then(({ status }) => status).catch(() => undefined);
}

/** A call that its grant does not cover is denied all the time, from some time on with nothing to show for it. */
async function deniedBare(t: Test, on: Stage): Promise<void> {
  let reply = await get(on, '/denied', { paths: ['/other'] });
  while (reply && !bare(reply)) reply = await get(on, '/denied', { paths: ['/other'] });
  t.match(reply, { status: 403, headers: { connection: 'close' }, body: /"receipt":null,"proof":null/ });
}

const bare = ({ body }: Reply): boolean => body.includes('"receipt":null');

/** A call that passes is denied from some time on: nothing can be recorded, and that much can be signed. */
async function deniedWithReceipt(t: Test, on: Stage): Promise<void> {
  let reply = await get(on, '/passes');
  while (reply?.status === 200) reply = await get(on, '/passes');
  t.equal(reply?.status, 403);
  const given = { body: reply?.body ?? '', code: 'log_unavailable', unrecorded: 'log_unavailable' } as const;
  assertReceipt(t, on.sidecar.home, given);
}

/** The log verifies to its end; what reached the origin is in it, and where it was closed every permit has its outcome. */
function assertLog(t: Test, { sidecar: { home }, origin }: Stage, { closed, by }: Row): void {
  const layout = layoutOf(home.path);
  const { logKey } = readIdentity(layout);
  const verdict = verifyLog({ layout, logKey, everyHead: true });
  t.match(verdict, { ok: true, torn: 0 });
  const entries = home.entries();
  const permits = entries.filter(({ is }) => is['verdict'] === 'permit');
  t.ok(permits.length >= origin.seen.length, 'what reached the origin is on record');
  if (!closed) return;
  t.match(verdict, { vouched: entries.length });
  const outcomes = entries.filter(({ type }) => type === 'outcome');
  t.strictSame(outcomes.map(({ is }) => is['permit']).sort(), permits.map(({ seq }) => seq));
  t.match(outcomes.at(-1)?.is, { ended: 'cut', by });
} // prettier-ignore
