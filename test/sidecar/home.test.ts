/** A home is made in one step, finished only under its own marker, and never made over something else. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/schema.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { makeDefaultHome } from '../../src/sidecar/first-home.ts';
import { homeLayout, homeState, installPolicy, makeHome } from '../../src/sidecar/home.ts';
import { defaultFiles } from '../policy/bundle-files.ts';

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'writ-home-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

function settingsFor(home: string): Settings {
  const loaded = loadSettings({
    flags: [{ name: 'home', text: home, flag: '--home' }],
    env: {},
    cwd: tmpdir(),
  });
  if (!loaded.ok) throw new Error('faulty settings');
  return loaded.settings;
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

t.test('what stands at a path', async (t) => {
  const rows: [name: string, make: (path: string) => void, state: string][] = [
    ['nothing', (path) => rmSync(path, { recursive: true }), 'missing'],
    ['an empty folder', () => undefined, 'missing'],
    ['a fresh file system', (path) => mkdirSync(join(path, 'lost+found')), 'missing'],
    ['our marker', (path) => writeFileSync(join(path, '.initialising'), ''), 'half-made'],
    ['a log', (path) => mkdirSync(join(path, 'lineage')), 'complete'],
    ['keys', (path) => mkdirSync(join(path, 'keys')), 'complete'],
    ['a file', (path) => (rmSync(path, { recursive: true }), writeFileSync(path, '')), 'foreign'],
    ['somebody’s files', (path) => writeFileSync(join(path, 'thesis.doc'), ''), 'foreign'],
  ];
  for (const [name, make, state] of rows) {
    const path = await folder(t);
    make(path);
    t.equal(homeState(path), state, name);
  }
});

t.test('a fresh home is private, complete, and its policy can be loaded', async (t) => {
  const home = join(await folder(t), 'deep', 'home');
  const origin = await makeDefaultHome(settingsFor(home));
  t.match(origin, /^localhost\/writ\/[0-9a-f]{16}$/);
  t.equal(homeState(home), 'complete');
  t.equal(modeOf(home), 0o700);
  const { marker, authorities, adminToken, activePolicy } = homeLayout(home);
  t.notOk(existsSync(marker));
  t.equal(readFileSync(authorities, 'utf8'), '{"authorities":[]}\n', 'nobody may sign grants yet');
  t.match(readFileSync(adminToken, 'utf8'), /^[A-Za-z0-9_-]{43}$/);
  for (const file of [adminToken, join(home, 'keys/log.jwk'), join(home, 'keys/receipt.jwk')]) t.equal(modeOf(file), 0o600, file);
  t.match(await loadBundle(activePolicy), { ok: true });
}); // prettier-ignore

t.test('a complete home stays as it is', async (t) => {
  const home = join(await folder(t), 'home');
  const origin = await makeDefaultHome(settingsFor(home));
  const token = readFileSync(homeLayout(home).adminToken, 'utf8');
  writeFileSync(homeLayout(home).authorities, 'mine');
  t.equal(await makeDefaultHome(settingsFor(home)), origin);
  t.equal(readFileSync(homeLayout(home).adminToken, 'utf8'), token);
  t.equal(readFileSync(homeLayout(home).authorities, 'utf8'), 'mine');
});

t.test('a home that was left half made is finished, and keeps what it had', async (t) => {
  const home = await folder(t);
  const files = { ...(await defaultFiles()) };
  const policy = { digest: 'd'.repeat(64), files };
  const stops = (): never => {
    throw new Error('the machine stopped');
  };
  t.throws(() => makeHome({ home, policy, createLog: stops }), /stopped/);
  t.equal(homeState(home), 'half-made');
  writeFileSync(homeLayout(home).adminToken, 'as it was');
  let made = 0;
  makeHome({ home, policy, createLog: () => void (mkdirSync(join(home, 'keys')), made++) });
  t.equal(made, 1);
  t.equal(homeState(home), 'complete');
  t.equal(readFileSync(homeLayout(home).adminToken, 'utf8'), 'as it was');
});

t.test('a policy is installed beside the one before it, and made active in one step', async (t) => {
  const home = await folder(t);
  const files = { ...(await defaultFiles()) };
  const { activePolicy, policies } = homeLayout(home);
  for (const digest of ['a'.repeat(64), 'b'.repeat(64), 'a'.repeat(64)]) {
    installPolicy(home, { digest, files });
    t.equal(readlinkSync(activePolicy), digest);
    t.match(await loadBundle(activePolicy), { ok: true });
  }
  t.ok(existsSync(join(policies, 'b'.repeat(64))), 'the one before is still there');
});
