/** SIGHUP: what is good comes into force, what is faulty changes nothing, and withdrawn trust is never kept. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { ChildSidecar, serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { makeHome } from './home.ts';
import type { HomePlan, Recorded } from './home.ts';
import { startOrigin } from './origin.ts';
import { compiled, handmadeBundle, PLAYGROUND } from './policies.ts';

const FAILED = 'reload failed; what was faulty stays as it was';

async function stage(t: Test, settings: HomePlan['settings'] = {}): Promise<Stage> {
  const origin = await startOrigin(t);
  return new Stage(await serve(t, { origins: [origin], settings }), origin);
}

/** The entries of one predicate type. */
const ofType = (on: Stage, type: string): readonly Recorded[] =>
  on.sidecar.home.entries().filter((entry) => entry.type === type);

t.test('an unreadable list of authorities closes the gate until it is good again', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  const { authorities } = home.layout;
  const rows: [string, () => void][] = [
    ['empty', () => home.authorize('')],
    ['garbage', () => home.authorize('\0\0\0')],
    ['of another shape', () => home.authorize('[]')],
    ['cut off', () => home.authorize('{"authorities":[{"iss":"urn:writ')],
    ['gone', () => undefined],
    ['a folder', () => mkdirSync(authorities)],
  ];
  for (const [name, spoil] of rows) {
    rmSync(authorities);
    spoil();
    t.match(await on.sidecar.reload(), { msg: FAILED, faults: [/authorities\.json: /] }, name);
    const before = on.origin.bytes();
    assertDenied(t, home, { reply: await on.forward(), code: 'authorities_unreadable' });
    t.equal(on.origin.bytes(), before);
    rmSync(authorities, { recursive: true, force: true });
    home.authorize();
    t.match(await on.sidecar.reload(), { msg: 'reloaded' });
    t.match(await on.forward(), { status: 200 }, `and good again after: ${name}`);
  }
});

t.test('the list is read again even where the settings are faulty', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  home.authorize('{"authorities":[]}');
  writeFileSync(home.settingsFile, 'nonsense: [');
  t.match(await on.sidecar.reload(), { msg: FAILED });
  assertDenied(t, home, { reply: await on.forward(), code: 'grant_unknown_key' });
});

t.test('faulty settings keep the old ones', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  const rows: [string, string | object][] = [
    ['no YAML', 'a: ['],
    ['an unknown key', { sidecar: {} }],
    ['a faulty value', { upstream: { allow: ['everything'] } }],
    [
      'two routes for one path',
      { routes: ['http://a.test', 'http://b.test'].map((upstream) => ({ upstream })) },
    ],
  ];
  for (const [name, content] of rows) {
    writeFileSync(home.settingsFile, typeof content === 'string' ? content : JSON.stringify(content));
    t.match(await on.sidecar.reload(), { msg: FAILED, faults: [/writ\.yaml/] }, name);
    t.match(await on.reverse(), { status: 200 }, 'the old route leads on');
  }
  t.equal(ofType(on, 'settings').length, 1, 'nothing new is in force, so nothing is on record');
});

t.test('good settings are on record before the first call under them', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  const other = await startOrigin(t);
  const target = `${other.url}/a`;
  const grant = on.grant({ entry: { locations: [other.url] } });
  assertDenied(t, home, { reply: await on.forward({ target, grant }), code: 'address_forbidden' });
  assertDenied(t, home, { reply: await on.reverse({ path: '/other/a' }), code: 'route_unknown' });
  home.configure({
    upstream: { allow: [on.origin, other].map(({ port }) => `127.0.0.1:${port}`) },
    routes: [{ prefix: '/other', upstream: other.url }],
    limits: { max_connections: 7 },
  });
  const from = on.sidecar.lines.length;
  t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  t.match(await on.sidecar.says('changed settings that wait for a restart', from), {
    settings: ['limits.max_connections'],
  });
  t.match(await on.forward({ target, grant }), { status: 200 });
  t.match(await on.reverse({ path: '/other/a', grant }), { status: 200 });
  assertDenied(t, home, { reply: await on.reverse(), code: 'route_unknown' });
  const [, second] = ofType(on, 'settings');
  const permits = ofType(on, 'decision').filter(({ is }) => is['verdict'] === 'permit');
  t.strictSame(
    permits.map(({ is }) => is['settings']),
    [second?.seq, second?.seq],
  );
});

t.test('a broken policy keeps the active one, and is said', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  const active = ofType(on, 'policy')[0]?.is['revision'];
  const folder = join(home.folder, 'broken');
  const rows: [string, () => unknown][] = [
    ['no such folder', () => rmSync(folder, { recursive: true, force: true })],
    ['no module', () => rmSync(join(handmadeBundle(folder, {}), 'policy.wasm'))],
    ['half a module', () => writeFileSync(join(handmadeBundle(folder, {}), 'policy.wasm'), '\0asm')],
    ['no data', () => rmSync(join(handmadeBundle(folder, {}), 'data.json'))],
    ['another ABI', () => handmadeBundle(folder, { major: 2 })],
    ['no entrypoint', () => handmadeBundle(folder, { entrypoints: '{"other":0}' })],
    ['a builtin that is not given', () => handmadeBundle(folder, { builtins: '{"http.send":0}' })],
  ];
  for (const [name, spoil] of rows) {
    spoil();
    home.configure({ policy: { bundle: folder } });
    const from = on.sidecar.lines.length;
    t.match(await on.sidecar.reload(), { msg: FAILED }, name);
    t.match(await on.sidecar.says('policy cannot be used', from), { level: 'error', kept: active });
    t.match(await on.forward(), { status: 200 });
  }
  t.equal(ofType(on, 'policy').length, 1);
  const permits = ofType(on, 'decision').filter(({ is }) => is['verdict'] === 'permit');
  t.ok(permits.every(({ is }) => (is['policy'] as { revision: string }).revision === active));
});

t.test('a call keeps the bundle that it began with', async (t) => {
  const policy = { bundle: await compiled(PLAYGROUND), deadline_ms: 1500 };
  const on = await stage(t, { policy });
  const { home } = on.sidecar;
  const first = ofType(on, 'policy')[0]?.is['revision'];
  const endless = on.forward({ path: '/endless' });
  const behind = on.forward(); // not evaluated before the endless one is killed
  await on.forward({ grant: undefined }); // was sent after them: by now they wait for their policy
  home.configure({ policy: { bundle: handmadeBundle(join(home.folder, 'next'), {}, 'next') } });
  t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  t.match(await on.forward({ path: '/teapot' }), { status: 200 }, 'the new bundle decides at once');
  assertDenied(t, home, { reply: await endless, code: 'policy_timeout' });
  t.match(await behind, { status: 200 });
  const revisions = ofType(on, 'decision')
    .filter(({ is }) => is['policy'])
    .map(({ is }) => [
      (is['call'] as { path: string }).path,
      (is['policy'] as { revision: string }).revision,
    ]);
  t.strictSame(Object.fromEntries(revisions), { '/teapot': 'next', '/endless': first, '/a': first });
});

t.test('an endless rule is killed while other calls go on', async (t) => {
  const policy = { bundle: await compiled(PLAYGROUND), deadline_ms: 250 };
  const on = await stage(t, { policy });
  const calls = Array.from({ length: 60 }, (_, i) => on.forward(i % 20 === 7 ? { path: '/endless' } : {}));
  const replies = await Promise.all(calls);
  for (const [i, reply] of replies.entries()) {
    if (i % 20 === 7) assertDenied(t, on.sidecar.home, { reply, code: 'policy_timeout' });
    else t.equal(reply.status, 200);
  }
  t.equal(on.origin.seen.length, 57);
});

t.test('SIGHUP while it starts is no end', async (t) => {
  const sidecar = ChildSidecar.launch(t, await makeHome(t));
  await sidecar.says('policy is active');
  sidecar.signal('SIGHUP');
  await sidecar.listens();
  t.match(await sidecar.reload(), { msg: 'reloaded' });
  t.match(await sidecar.stop(), { code: 0 });
});
