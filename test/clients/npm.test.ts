/** npm install through the forward port, the only one for it, from a small registry of our own with a scoped package. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestListener } from 'node:http';
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { missing, run } from '../e2e/program.ts';
import type { Ended } from '../e2e/program.ts';
import { startTlsOrigin } from '../e2e/tls-origin.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { runTool } from '../third-party/tool.ts';
import { startSidecar } from './stage.ts';
import { fetchDenial } from './swallowed.ts';
import { assertWay, ELSEWHERE } from './ways.ts';

const skip = missing('npm') || missing('tar');
const folder = scratchFolder(t);
const PACKUMENT = '/@acme%2fleft';
const TARBALL = '/@acme/left/-/left-1.0.0.tgz';
const CODE = `module.exports = '${'left '.repeat(50_000)}';\n`;

/** A package as `npm pack` makes it. */
function pack(): Buffer {
  const [inside, file] = [join(folder, 'package'), join(folder, 'left.tgz')];
  mkdirSync(inside);
  writeFileSync(join(inside, 'package.json'), JSON.stringify({ name: '@acme/left', version: '1.0.0' }));
  writeFileSync(join(inside, 'index.js'), CODE);
  const { ok, out } = runTool('tar', ['-czf', file, '-C', folder, 'package']);
  if (!ok) throw new Error(out);
  return readFileSync(file);
}

const tarball = skip ? Buffer.alloc(0) : pack();

const registry: RequestListener = ({ url, headers }, response) => {
  if (url === TARBALL) return void response.end(tarball);
  if (url !== PACKUMENT) return void response.writeHead(404).end('{}');
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const dist = { tarball: `https://${headers.host}${TARBALL}`, integrity };
  const versions = { '1.0.0': { name: '@acme/left', version: '1.0.0', dist } };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ name: '@acme/left', 'dist-tags': { latest: '1.0.0' }, versions }));
};

const origin = await startTlsOrigin(t, registry);
const stage = await startSidecar(t, {
  origins: [origin],
  settings: { routes: [{ prefix: '/npm', upstream: origin.url, encoded_slash: 'segment' }] },
});
const grant = (): string =>
  stage.grant({ entry: { actions: ['GET'], paths: [PACKUMENT, '/@acme/left/**'] } });

let installs = 0;

/** One install into a fresh folder, with nobody's settings. */
async function install(
  name: string,
  registry: string,
  env: readonly string[],
): Promise<Ended & { readonly at: string }> {
  const at = join(folder, `install-${installs++}`);
  mkdirSync(at);
  writeFileSync(join(at, 'package.json'), '{}');
  const files = { cache: join(at, 'cache'), userconfig: join(at, 'none'), prefix: at };
  const quiet = { audit: 'false', fund: 'false', 'update-notifier': 'false' };
  const flags = Object.entries({ ...files, ...quiet, registry }).map(([key, value]) => `--${key}=${value}`);
  return { at, ...(await run('env', [`HOME=${at}`, ...env, 'npm', 'install', name, ...flags])) };
}

for (const trust of ['npm_config_cafile', 'NODE_EXTRA_CA_CERTS'])
  t.test(`a scoped package is installed whole, trusting by ${trust}`, { skip }, async (t) => {
    const from = origin.seen.length;
    const env = [`https_proxy=${stage.proxy(grant())}`, `${trust}=${stage.ca}`];
    const { exit, stderr, at } = await install('@acme/left', origin.url, env);
    t.equal(exit, 0, 'installed', { stderr });
    t.ok(readFileSync(join(at, 'node_modules/@acme/left/index.js'), 'utf8') === CODE, 'every byte');
    t.strictSame(origin.seen.slice(from), [`GET ${PACKUMENT}`, `GET ${TARBALL}`]);
  });

for (const [what, name, registry, code] of [
  ['a package that the grant does not name', '@acme/right', origin.url, 'scope_path'],
  ['a registry that it does not name', '@acme/left', ELSEWHERE, 'scope_location'],
] as const)
  t.test(`${what} is E403, and the denial is in the log and to be had by id`, { skip }, async (t) => {
    const from = origin.seen.length;
    const token = grant();
    const env = [`npm_config_https_proxy=${stage.proxy(token)}`, `npm_config_cafile=${stage.ca}`];
    const { exit, stderr } = await install(name, registry, env);
    t.equal(exit, 1);
    t.match(stderr, 'npm error code E403');
    t.match(stderr, `403 Forbidden - GET ${new URL(name.replace('/', '%2f'), registry).href}`);
    const denial = await stage.home.entry(({ is }) => is['code'] === code);
    const body = await fetchDenial(stage.sidecar, denial.id, token);
    const { authentic, untampered, anchored } = verifyDenial(node, body, stage.home.trust());
    t.match([authentic, untampered, anchored], [{ proven: true }, { proven: true }, { proven: true }]);
    t.strictSame(origin.seen.slice(from), [], 'nothing reached the registry');
  });

const { redirected } = stage.ways;
t.test('redirected, it has no way to bring a grant', { skip: skip || redirected.skip }, async (t) => {
  const [from, entries] = [origin.seen.length, stage.home.entries().length];
  const { exit, stderr } = await install('@acme/left', redirected.url, [`npm_config_cafile=${stage.ca}`]);
  t.equal(exit, 1);
  t.match(stderr, `403 Forbidden - GET ${origin.url}${PACKUMENT}`);
  t.match(stage.home.entries(entries), [{ is: { verdict: 'deny', code: 'grant_missing' } }]);
  assertWay(t, stage.home, redirected, entries);
  t.strictSame(origin.seen.slice(from), [], 'nothing reached the registry');
});
