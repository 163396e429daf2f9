/** Which hosts are reached through the proxy, and which addresses a proxy may have. */
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { loadSettings } from '../../src/config/load.ts';
import { pass } from '../../src/denial/outcome.ts';
import { VettingResolver } from '../../src/proxy/address/resolver.ts';
import { UpstreamAccess } from '../../src/sidecar/upstream-access.ts';

const OWN_PORT = 3128;

/** The access of these settings, where every name has this address. */
function access(t: Test, upstream: object, address = '192.0.2.1'): UpstreamAccess {
  const folder = t.testdir({ 'writ.yaml': JSON.stringify({ upstream }) });
  const configFile = join(folder, 'writ.yaml');
  const loaded = loadSettings({ flags: [], configFile, env: {}, cwd: folder });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const lookup = () => Promise.resolve(pass([address]));
  const fixed = { lookup, ownPorts: () => new Set([OWN_PORT]), interfaces: () => ['10.9.8.7'] };
  return new UpstreamAccess(loaded.settings, (exceptions) => new VettingResolver({ ...fixed, exceptions }));
}

t.test('every host but those that are excepted', (t) => {
  const proxy_except = ['plain.test', '.corp.test', '10.0.0.7', '[fd00::7]'];
  const given = access(t, { proxy: 'http://proxy.test:8080', proxy_except });
  const rows: [host: string, through: boolean][] = [
    ['api.test', true],
    ['plain.test', false],
    ['sub.plain.test', true],
    ['a.corp.test', false],
    ['a.b.corp.test', false],
    ['corp.test', true],
    ['evilcorp.test', true],
    ['10.0.0.7', false],
    ['10.0.0.8', true],
    ['fd00::7', false],
  ];
  for (const [host, through] of rows) t.equal(given.proxyFor(host) !== undefined, through, host);
  t.equal(access(t, {}).proxyFor('api.test'), undefined, 'and none without a proxy');
  t.end();
});

t.test('a proxy may be private, and never a listener of ours', async (t) => {
  const rows: [proxy: string, address: string, allowed: string | true][] = [
    ['http://proxy.test:8080', '93.184.215.14', true],
    ['http://proxy.test:8080', '10.0.0.7', true],
    ['http://proxy.test:8080', '127.0.0.1', true],
    ['http://proxy.test', '127.0.0.1', true],
    ['http://10.0.0.7:8080', '', true],
    ['http://[fd00::7]:8080', '', true],
    ['http://proxy.test:8080', '169.254.169.254', 'address_forbidden'],
    ['http://proxy.test:3128', '127.0.0.1', 'address_own'],
    ['http://proxy.test:3128', '::ffff:127.0.0.1', 'address_own'],
    ['http://proxy.test:3128', '10.9.8.7', 'address_own'],
    ['http://127.0.0.1:3128', '', 'address_own'],
  ];
  for (const [proxy, address, allowed] of rows) {
    const found = await access(t, { proxy }, address).proxyFor('api.test')?.addresses();
    t.equal(found?.ok === true || found?.code, allowed, `${proxy} at ${address}`);
  }
});
