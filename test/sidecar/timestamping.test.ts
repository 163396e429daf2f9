import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { systemClock } from '../../src/config/system.ts';
import { newestTimestamp } from '../../src/lineage/timestamp/client.ts';
import { Timestamping } from '../../src/sidecar/timestamping.ts';
import { serveAuthority, TestAuthority } from '../lineage/test-authority.ts';
import type { HttpAnswer } from '../lineage/test-authority.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';
import { unlessInstalled } from '../third-party/tool.ts';

t.setTimeout(120_000);
const skip = unlessInstalled('openssl', 'version');
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A log, an authority, and a clock whose hands the test moves. */
async function stage(t: Test) {
  const authority = new TestAuthority(t);
  const log = new GrowingLog('log.example/1').grow(3);
  const folder = join(scratchFolder(t), 'timestamps');
  const told: string[] = [];
  const alarms: boolean[] = [];
  const good = (query: Uint8Array): HttpAnswer => ({ body: authority.reply(query) });
  const now = { answer: good };
  const server = await serveAuthority(t, (query) => now.answer(query));
  let due: { readonly after: number; readonly then: () => void } | undefined;
  let armed: () => void = () => undefined;
  const say = (level: string) => (message: string, details: object = {}) =>
    void told.push(`${level}: ${message} ${JSON.stringify(details)}`);
  const make = (over: object = {}) =>
    new Timestamping({
      settings: { url: server.url, roots: authority.path('root.pem'), policy_oid: null, interval_seconds: 3600, timeout_ms: 30_000, ...over },
      folder,
      lineage: { checkpoint: () => Promise.resolve(log.checkpoint()) },
      readiness: { alarm: (_name, raised) => void alarms.push(raised) },
      log: { info: say('info'), warn: say('warn') },
      clock: {
        ...systemClock,
        after: (after, then) => {
          due = { after, then };
          armed();
          return () => (due = undefined);
        },
      },
    });
  /** Lets the time come; resolves, once all is done, with how long it waits next. */
  const tick = async (): Promise<number> => {
    const next = new Promise<void>((resolve) => (armed = resolve));
    due?.then();
    await next;
    return due?.after ?? -1;
  };
  return { authority, log, folder, told, alarms, now, good, server, make, tick, dueIn: () => due?.after };
} // prettier-ignore

t.test('it is asked at its interval, and only where the log has grown', { skip }, async (t) => {
  const { log, folder, told, server, make, tick, dueIn } = await stage(t);
  const timestamping = make();
  t.match(timestamping.report(), { said: 'unasked', size: 0 });
  timestamping.begin();
  t.equal(dueIn(), 0, 'at once, where there is none yet');
  t.equal(await tick(), HOUR_MS);
  t.match(timestamping.report(), { said: 'granted', size: 3, by: 'CN=tsa' });
  const { since } = timestamping.report() ?? { since: 0 };
  t.equal(await tick(), HOUR_MS);
  t.equal(server.asked.length, 1, 'an unchanged log is not asked about');
  t.ok((timestamping.report()?.since ?? 0) >= since, 'but nothing is pending');
  log.grow(2);
  await tick();
  t.strictSame(readdirSync(folder).sort(), ['3.checkpoint', '3.tsr', '5.checkpoint', '5.tsr']);
  t.equal(readFileSync(join(folder, '5.checkpoint'), 'utf8'), log.checkpoint());
  t.equal(told.length, 1, 'success is said once');
  await timestamping.close();
  t.equal(dueIn(), undefined);
});

t.test('a failure is said once, asked about again soon, and over when it is over', { skip }, async (t) => {
  const { log, folder, told, alarms, now, good, make, tick } = await stage(t);
  const timestamping = make();
  timestamping.begin();
  now.answer = () => ({ status: 500 });
  t.equal(await tick(), MINUTE_MS);
  t.equal(await tick(), MINUTE_MS);
  now.answer = () => ({ body: Buffer.from('no') });
  await tick();
  t.equal(told.length, 1);
  t.match(told[0], /^warn: checkpoints are not timestamped .*timestamp_http_error/);
  t.match(timestamping.report(), { said: 'timestamp_malformed', size: 0 }, 'the report is of the last one');
  t.throws(() => readdirSync(folder), 'nothing is kept');
  now.answer = good;
  t.equal(await tick(), HOUR_MS);
  t.match(told[1], /^info: checkpoints are timestamped .*"size":3/);
  now.answer = () => undefined;
  log.grow(1);
  const silent = make({ timeout_ms: 100 });
  silent.begin();
  await tick();
  t.match(silent.report(), { said: 'timestamp_unreachable', size: 3 }, 'what there was stays');
  t.strictSame(alarms, [true, true, true, false, true]);
});

t.test('a timestamp that cannot be kept is none', { skip }, async (t) => {
  const { folder, told, make, tick } = await stage(t);
  writeFileSync(folder, 'a file where the folder should be');
  const timestamping = make();
  timestamping.begin();
  t.equal(await tick(), MINUTE_MS);
  t.match(told[0], /^warn: .*not_kept/);
  t.match(timestamping.report(), { said: 'not_kept', size: 0 });
  rmSync(folder);
  t.equal(await tick(), HOUR_MS);
  t.match(timestamping.report(), { said: 'granted', size: 3 });
});

t.test('a start waits for what is left of the interval', { skip }, async (t) => {
  const { folder, make, tick, dueIn, log } = await stage(t);
  const first = make();
  first.begin();
  await tick();
  await first.close();
  const ago = (milliseconds: number): void => {
    const at = (Date.now() - milliseconds) / 1000;
    utimesSync(join(folder, '3.tsr'), at, at);
  };
  const rows: [string, number, (after: number) => boolean][] = [
    ['half of it', HOUR_MS / 2, (after) => after > HOUR_MS / 2 - MINUTE_MS && after <= HOUR_MS / 2],
    ['all of it', 2 * HOUR_MS, (after) => after === 0],
    ['a time that is to come', -100 * HOUR_MS, (after) => after === HOUR_MS],
  ];
  for (const [name, since, test] of rows) {
    ago(since);
    const next = make();
    next.begin();
    t.ok(test(dueIn() ?? -1), name, { due: dueIn() });
    t.match(next.report(), { size: 3 });
    await next.close();
  }
  log.grow(6);
  writeFileSync(join(folder, '9.tsr'), 'half of one');
  t.equal(newestTimestamp(folder), undefined, 'a response without its checkpoint');
  const off = make({ url: null });
  off.begin();
  t.equal(dueIn(), undefined, 'and where none is asked, nothing is due');
  t.equal(off.report(), undefined);
});
