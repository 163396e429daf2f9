/** One sidecar in this process: how it starts, says where it is, and stops. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import type { Log } from '../../src/config/log.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { PortUnavailable } from '../../src/sidecar/listeners.ts';
import type { Sidecar } from '../../src/sidecar/sidecar.ts';
import { startSidecar } from '../../src/sidecar/start.ts';
import { makeHome } from '../e2e/home.ts';
import type { HomePlan, TestHome } from '../e2e/home.ts';
import { startOrigin } from '../e2e/origin.ts';
import { run } from '../e2e/program.ts';
import { exchange, forwardHead } from '../e2e/wire.ts';

const quiet = (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

async function start(t: Test, home: TestHome, heard: Partial<Log> = {}): Promise<Sidecar> {
  const settings = home.settings();
  const reread = (): { ok: true; settings: typeof settings } => ({ ok: true, settings: home.settings() });
  const sidecar = await startSidecar({
    settings,
    log: { ...log, ...heard },
    version: '0.0.0',
    exposed: false,
    reread,
  });
  t.teardown(() => sidecar.stop());
  return sidecar;
}

async function stage(t: Test, settings: HomePlan['settings'] = {}): Promise<{ home: TestHome; sidecar: Sidecar }> {
  const home = await makeHome(t, { settings });
  return { home, sidecar: await start(t, home) };
} // prettier-ignore

const off = { forward: 'off', reverse: 'off', transparent: 'off', admin: 'off' };
const free = '127.0.0.1:0';

t.test('it says where it is, and takes that back', async (t) => {
  const { home, sidecar } = await stage(t);
  const run = JSON.parse(readFileSync(home.layout.run, 'utf8')) as Record<string, unknown>;
  t.strictSame(run, { ...sidecar.urls, origin: home.origin, pid: process.pid });
  t.strictSame(Object.keys(sidecar.urls).sort(), ['admin', 'forward', 'reverse', 'transparent']);
  t.equal(sidecar.origin, home.origin);
  t.ok(sidecar.readiness.ready);
  const stopping = sidecar.stop();
  t.notOk(sidecar.readiness.ready, 'no new calls from here on');
  t.equal(sidecar.stop(), stopping, 'stopping twice is stopping once');
  await stopping;
  t.notOk(existsSync(home.layout.run));
  for (const url of Object.values(sidecar.urls)) await t.rejects(fetch(url), 'nobody listens');
});

t.test('a part that does not close keeps nothing else open', async (t) => {
  const home = await makeHome(t);
  const settings = home.settings();
  const reread = (): { ok: true; settings: typeof settings } => ({ ok: true, settings });
  const sidecar = await startSidecar({ settings, log, version: '0.0.0', exposed: false, reread });
  const close = sidecar.standing.close.bind(sidecar.standing);
  sidecar.standing.close = async () => {
    await close();
    throw new Error('a fault of the program');
  };
  await t.rejects(sidecar.stop(), { message: 'a fault of the program' });
  t.notOk(existsSync(home.layout.run));
  const next = await start(t, home);
  t.ok(next.readiness.ready, 'the log was closed, and is not locked');
});

t.test('a listener that is off does not listen', async (t) => {
  for (const name of ['forward', 'reverse', 'transparent', 'admin'] as const) {
    const { sidecar } = await stage(t, { listen: { ...off, [name]: free } });
    t.strictSame(Object.keys(sidecar.urls), [name]);
    t.ok(sidecar.readiness.ready);
  }
});

t.test('keys that others can read are told of, with the command that shuts them', async (t) => {
  const home = await makeHome(t);
  const told: unknown[] = [];
  const warn: Log['warn'] = (message, details) => void told.push([message, details]);
  const key = layoutOf(home.path).logKey;
  for (const path of [key, home.layout.adminToken]) chmodSync(path, 0o644);
  await (await start(t, home, { warn })).stop();
  const remedy = `chmod -R go= ${home.path}`;
  const details = { code: 'home_open', file: key, more: 1, remedy };
  t.strictSame(told.splice(0), [['keys or the admin token can be read by others', details]], 'once');
  t.equal((await run('sh', ['-c', remedy])).exit, 0);
  await start(t, home, { warn });
  t.strictSame(told, []);
});

t.test('a log has one sidecar', async (t) => {
  const { home } = await stage(t);
  await t.rejects(start(t, home), { name: 'LogFault', code: 'log_locked' });
});

t.test('a port that is taken is named, and everything else is let go', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo; // a TCP server that listens has one
  const home = await makeHome(t);
  for (const name of ['forward', 'reverse', 'admin'] as const) {
    home.configure({ listen: { [name]: `127.0.0.1:${port}` } });
    const fault = await start(t, home).catch((cause: unknown) => cause);
    t.match(fault, { name: 'PortUnavailable', listener: name, message: `cannot listen on 127.0.0.1:${port} (EADDRINUSE)` });
    t.ok(fault instanceof PortUnavailable);
  }
  home.configure();
  const sidecar = await start(t, home);
  t.ok(sidecar.readiness.ready, 'its log was closed each time, and can be opened');
}); // prettier-ignore

t.test('it is not ready with a faulty policy or list of authorities, and says only to the operator why', async (t) => {
  const home = await makeHome(t);
  home.configure({ policy: { bundle: 'nowhere' } });
  home.authorize('nonsense');
  const sidecar = await start(t, home);
  const url = sidecar.urls.admin ?? '';
  const ready = await fetch(`${url}/readyz`);
  t.equal(ready.status, 503);
  t.match(await ready.json(), { ready: false, parts: { keys: 'bad', policy: 'bad', log: 'good', listeners: 'good' } });
  const headers = { authorization: `Bearer ${home.adminToken()}` };
  const status: unknown = await (await fetch(`${url}/api/status`, { headers })).json();
  t.match(status, { policy: null, authorities: [], readiness: { reasons: { keys: /authorities/, policy: /nowhere/ } } });

  home.configure();
  home.authorize();
  const reloaded = await fetch(`${url}/api/reload`, { method: 'POST', headers });
  t.strictSame([reloaded.status, await reloaded.json()], [200, { ok: true }]);
  t.equal((await fetch(`${url}/readyz`)).status, 200);
}); // prettier-ignore

t.test('who watches hears of calls, and cannot stop them', async (t) => {
  const origin = await startOrigin(t);
  const home = await makeHome(t, { origins: [origin] });
  const heard: string[] = [];
  const broken = (): never => {
    throw new Error('a full terminal');
  };
  const none = (): undefined => undefined;
  const quiet = { tunnelled: none, handshake: none, malformed: none, shed: none, aggregated: none };
  const sidecar = await startSidecar({
    ...{ settings: home.settings(), log, version: '0.0.0', exposed: false },
    reread: () => ({ ok: false, faults: [] }),
    observers: [
      { ...quiet, decided: broken, finished: broken },
      { ...quiet, decided: (event) => void heard.push(event.verdict), finished: (event) => void heard.push(event.ended) },
    ],
  });
  t.teardown(() => sidecar.stop());
  const port = Number(new URL(sidecar.urls.forward ?? '').port);
  t.match(await exchange(port, forwardHead('GET', `${origin.url}/a`, `Writ-Grant: ${home.grant()}`)), { status: 200 });
  t.match(await exchange(port, forwardHead('GET', `${origin.url}/a`)), { status: 403 });
  await sidecar.stop();
  t.strictSame(heard.sort(), ['complete', 'deny', 'permit']);
}); // prettier-ignore
