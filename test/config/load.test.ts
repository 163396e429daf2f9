import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { faultText } from '../../src/config/fault.ts';
import type { GivenFlag } from '../../src/config/layer.ts';
import { loadSettings, settingsDigest } from '../../src/config/load.ts';
import type { Loaded } from '../../src/config/load.ts';

interface Given {
  readonly file?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly GivenFlag[];
  readonly configFile?: string;
}

function load(test: Test, { file, env = {}, flags = [], configFile }: Given): Loaded {
  const cwd = test.testdir(file === undefined ? {} : { 'writ.yaml': file });
  return loadSettings({ flags, env, cwd, configFile });
}

function faults(test: Test, given: Given): readonly string[] {
  const loaded = load(test, given);
  return loaded.ok ? [] : loaded.faults.map(faultText);
}

function settings(test: Test, given: Given): Extract<Loaded, { ok: true }> {
  const loaded = load(test, given);
  if (!loaded.ok) throw new Error(loaded.faults.map(faultText).join('\n'));
  return loaded;
}

const flag = (name: string, text: string): GivenFlag => ({ name, text, flag: `--${name}` });

t.test('without any source the defaults hold, complete and with absolute paths', (t) => {
  const { settings: found, sources, file } = settings(t, {});
  const home = join(t.testdirName, '.writ');
  t.equal(file, undefined);
  t.match(found, {
    home,
    listen: { forward: { host: '127.0.0.1', port: 3128 } },
    grant: { authorities: join(home, 'authorities.json'), audience: null, max_lifetime_seconds: 3600 },
    policy: { bundle: join(home, 'policy', 'active'), deadline_ms: 250 },
    admin: { token_file: join(home, 'admin.token') },
    upstream: { allow: [], extra_roots: null },
  });
  t.ok([...sources.values()].every((source) => source === 'default'));
  t.end();
});

t.test('flags go before environment, environment before file, file before defaults', (t) => {
  const file = 'policy: {deadline_ms: 300}\n';
  const env = { WRIT_POLICY__DEADLINE_MS: '400' };
  const flags = [flag('policy.deadline_ms', '500')];
  const rows: [string, Given, number, string][] = [
    ['default', {}, 250, 'default'],
    ['file', { file }, 300, 'writ.yaml:1'],
    ['environment', { file, env }, 400, 'WRIT_POLICY__DEADLINE_MS'],
    ['flag', { file, env, flags }, 500, '--policy.deadline_ms'],
  ];
  for (const [name, given, value, source] of rows) {
    const found = settings(t, given);
    t.equal(found.settings.policy.deadline_ms, value, name);
    t.equal(found.sources.get('policy.deadline_ms'), source, name);
  }
  t.end();
});

t.test('every fault of every source is reported at once, with its place', (t) => {
  const file = `
home: h
listen:
  forward: 127.0.0.1:99999
  revers: 8080
policy:
  deadline_ms: 250ms
routes:
  - prefix: x
    upstream: http://a.test/b
  - upstream: http://a.test
  - upstream: http://b.test
upstream:
  allow: ["10.0.0.0/8:443", x]
limits: 5
foo: 1
`;
  const env = { WRIT_LISTEN__ADMN: '1', WRIT_LINEAGE__DEADLINE_MS: '5s', WRIT_ROUTES__X: '' };
  const found = faults(t, { file, env, flags: [flag('log.level', 'loud')] });
  const wanted = [
    /^WRIT_LISTEN__ADMN: listen\.admn: no such setting; did you mean listen\.admin\?$/,
    /^WRIT_ROUTES__X: routes\.x: no such setting/,
    /^writ\.yaml:4: listen\.forward: must be address:port/,
    /^writ\.yaml:5: listen\.revers: no such setting; did you mean listen\.reverse\?$/,
    /^writ\.yaml:7: policy\.deadline_ms: must be a whole number from 10 to 10000, without a unit$/,
    /^writ\.yaml:9: routes\.0\.prefix: must be a path/,
    /^writ\.yaml:10: routes\.0\.upstream: must be an origin/,
    /^writ\.yaml:14: upstream\.allow\.1: must be address:port/,
    /^writ\.yaml:15: limits: must be a map/,
    /^writ\.yaml:16: foo: no such setting$/,
    /^WRIT_LINEAGE__DEADLINE_MS: lineage\.deadline_ms: must be a whole number/,
    /^--log\.level: log\.level: must be debug/,
  ];
  for (const line of wanted)
    t.ok(
      found.some((fault) => line.test(fault)),
      line.source,
    );
  t.equal(found.length, wanted.length, 'and nothing else', { found });
  t.end();
});

t.test('a file that is not what it should be is a fault at its line, never a guess', (t) => {
  const rows: [string, string, RegExp][] = [
    ['a list', '- a\n', /^writ\.yaml:1: must be a map/],
    ['a text', 'hello\n', /^writ\.yaml:1: must be a map/],
    ['broken', 'home: [\n', /^writ\.yaml:\d: /],
    ['a name twice', 'home: a\nhome: b\n', /^writ\.yaml:2: Map keys must be unique/],
    ['a section twice', 'log: {level: info}\nlog: {level: warn}\n', /^writ\.yaml:2: /],
    ['an alias', 'home: &a x\nlineage: {name: *a}\n', /^writ\.yaml:2: lineage\.name: aliases are not supported/],
    ['a merge', 'log: &a {level: info}\nadmin:\n  <<: *a\n', /^writ\.yaml:3: /],
    ['a tag', 'home: !secret x\n', /^writ\.yaml:1: /],
    ['two documents', 'home: a\n---\nhome: b\n', /^writ\.yaml:\d: /],
    ['__proto__', '__proto__: {home: x}\n', /^writ\.yaml:1: __proto__: no such setting/],
    ['constructor', 'constructor: 1\n', /^writ\.yaml:1: constructor: no such setting/],
    ['a number where a text belongs', 'home: 5\n', /^writ\.yaml:1: home: must be a path/],
    ['nothing where a text belongs', 'home:\n', /^writ\.yaml:1: home: must be a path/],
    ['a truth that is a text', 'proxy: {challenge: "yes"}\n', /^writ\.yaml:1: proxy\.challenge: must be true or false/],
    ['a fraction', 'stop: {grace_seconds: 1.5}\n', /^writ\.yaml:1: stop\.grace_seconds: must be a whole number/],
    ['less than the least', 'policy: {deadline_ms: 1}\n', /^writ\.yaml:1: policy\.deadline_ms: must be at least 10/],
    ['more than the most', 'policy: {deadline_ms: 99999}\n', /^writ\.yaml:1: policy\.deadline_ms: must be at most/],
    ['the same route twice', 'routes:\n- upstream: http://a.test\n- upstream: http://b.test\n', /^writ\.yaml:3: routes\.1: is the same route twice/],
    ['an unknown member of a route', 'routes:\n- upstream: http://a.test\n  upstraem: x\n', /^writ\.yaml:3: routes\.0\.upstraem: no such setting/],
    ['a route without an upstream', 'routes:\n- prefix: /a\n', /^writ\.yaml:2: routes\.0\.upstream: must be an origin/],
    ['two certificates for one upstream', 'upstream:\n  client_certificates:\n  - {host: a.test, certificate_file: a, key_file: b}\n  - {host: "a.test:443", certificate_file: c, key_file: d}\n', /^writ\.yaml:4: upstream\.client_certificates\.1: is a second certificate for a\.test:443/],
    ['a certificate without its key', 'upstream:\n  client_certificates:\n  - {host: a.test, certificate_file: a}\n', /^writ\.yaml:3: upstream\.client_certificates\.0\.key_file: must be a path/],
    ['a proxy by TLS', 'upstream: {proxy: "https://proxy.test"}\n', /^writ\.yaml:1: upstream\.proxy: must begin with http:\/\//],
    ['a proxy with its password', 'upstream: {proxy: "http://a:b@proxy.test"}\n', /^writ\.yaml:1: upstream\.proxy: must be an origin/],
    ['an excepted port', 'upstream: {proxy_except: ["a.test:80"]}\n', /^writ\.yaml:1: upstream\.proxy_except\.0: must be a host name/],
    ['a URL override that may pass', 'routes:\n- upstream: http://a.test\n  overrides: [x-original-url]\n', /^writ\.yaml:3: routes\.0\.overrides\.0: must be one of/],
  ]; // prettier-ignore
  for (const [name, file, wanted] of rows) t.match(faults(t, { file }).join('\n'), wanted, name);
  t.end();
});

t.test('a file that cannot be read is a fault; one that is not named and not there is none', (t) => {
  t.match(faults(t, { configFile: 'no.yaml' }), [/^no\.yaml: cannot be read: there is no such file/]);
  t.match(faults(t, { configFile: '.' }), [/cannot be read: it is a folder/]);
  const folder = t.testdir({ 'big.yaml': '#'.repeat(1024 * 1024 + 1), 'bytes.yaml': '' });
  writeFileSync(join(folder, 'bytes.yaml'), Uint8Array.of(0xff, 0xfe));
  for (const [name, wanted] of [['big.yaml', /larger than 1 MiB/], ['bytes.yaml', /cannot be read/]] as const) {
    const loaded = loadSettings({ flags: [], env: {}, cwd: folder, configFile: name });
    t.match(loaded, { ok: false, faults: [{ where: name, message: wanted }] });
  } // prettier-ignore
  t.strictSame(faults(t, {}), []);
  t.strictSame(faults(t, { file: '' }), [], 'an empty file is no fault');
  t.end();
});

t.test('names of the environment that are not ours are left alone', (t) => {
  const env = {
    WRIT_PORT: 'tcp://10.0.0.1:80',
    WRIT_SERVICE_HOST: '10.0.0.1',
    WRIT_PORT_80_TCP_ADDR: 'x',
    writ__x: '1',
  };
  t.strictSame(faults(t, { env }), []);
  t.equal(settings(t, { env: { ...env, WRIT_HOME: '/srv/writ' } }).settings.home, '/srv/writ');
  t.end();
});

t.test('text of environment and flags is read strictly by the setting’s type', (t) => {
  const rows: [string, string, string | null][] = [
    ['WRIT_POLICY__DEADLINE_MS', '300', null],
    ['WRIT_POLICY__DEADLINE_MS', '0300', 'must be a whole number'],
    ['WRIT_POLICY__DEADLINE_MS', '3e2', 'must be a whole number'],
    ['WRIT_POLICY__DEADLINE_MS', ' 300', 'must be a whole number'],
    ['WRIT_POLICY__DEADLINE_MS', '', 'must be a whole number'],
    ['WRIT_POLICY__DEADLINE_MS', '-300', 'must be a whole number'],
    ['WRIT_PROXY__CHALLENGE', 'true', null],
    ['WRIT_PROXY__CHALLENGE', '1', 'must be true or false'],
    ['WRIT_UPSTREAM__ALLOW', '10.0.0.7:443, [fd00::/8]:80', null],
    ['WRIT_UPSTREAM__ALLOW', '', null],
    ['WRIT_UPSTREAM__ALLOW', '10.0.0.7', 'must be address:port'],
    ['WRIT_UPSTREAM__ALLOW', '10.1.2.3/16:80', 'has bits beyond its prefix of 16'],
    ['WRIT_ROUTES', '', null],
  ];
  for (const [name, text, wanted] of rows) {
    const found = faults(t, { env: { [name]: text } }).join('\n');
    if (wanted === null) t.equal(found, '', `${name}=${text}`);
    else t.match(found, wanted, `${name}=${text}`);
  }
  for (const name of ['routes', 'upstream.client_certificates'])
    t.match(faults(t, { flags: [flag(name, '[]')] }), [/can only be set in the settings file/]);
  t.match(faults(t, { flags: [flag('nonsense', 'x')] }), [/no such setting/]);
  t.end();
});

t.test('a list flag may be given several times and takes the place of the file’s list', (t) => {
  const file = 'upstream:\n  allow: ["10.0.0.1:1"]\n';
  const flags = [flag('upstream.allow', '10.0.0.2:2'), flag('upstream.allow', '10.0.0.3:3')];
  const { allow } = settings(t, { file, flags }).settings.upstream;
  t.strictSame(
    allow.map(({ address, bits, port }) => `${address}/${bits}:${port}`),
    ['10.0.0.2/32:2', '10.0.0.3/32:3'],
  );
  t.end();
});

t.test('listeners and allowed addresses have one meaning or none', (t) => {
  const listeners: [string, unknown][] = [
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['8080', { host: '127.0.0.1', port: 8080 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['0.0.0.0:65535', { host: '0.0.0.0', port: 65535 }],
    ['off', null],
    ...[
      '',
      ':80',
      '127.0.0.1',
      '127.1:80',
      'localhost:80',
      '127.0.0.1:080',
      '127.0.0.1:65536',
      '::1:80',
      '[::1]',
      '-1',
    ].map((text): [string, unknown] => [text, undefined]),
  ];
  for (const [text, wanted] of listeners) {
    const loaded = load(t, { flags: [flag('listen.forward', text)] });
    t.strictSame(loaded.ok ? loaded.settings.listen.forward : undefined, wanted, text);
  }
  const addresses: [string, unknown][] = [
    ['10.0.0.7:443', { address: '10.0.0.7', bits: 32, port: 443 }],
    ['10.0.0.0/24:443', { address: '10.0.0.0', bits: 24, port: 443 }],
    ['[fd00::1]:443', { address: 'fd00::1', bits: 128, port: 443 }],
    ['[fd00::/8]:443', { address: 'fd00::', bits: 8, port: 443 }],
    ['fd00::/8:443', { address: 'fd00::', bits: 8, port: 443 }],
    ['10.16.0.0/12:443', { address: '10.16.0.0', bits: 12, port: 443 }],
    ...['10.1.2.3/16:443', '10.8.0.0/12:443', '[fd00::1/64]:443', '10.0.0.0/33:443', '10.0.0.0/:443', '10.0.0.0/-1:443', '10.0.0.7:0', '10.0.0.7', 'host:443', '*:443', '10.0.0.7/24/24:1', 'fd00::1:443', '[10.0.0.7]x:1'].map(
      (text): [string, unknown] => [text, undefined],
    ),
  ]; // prettier-ignore
  for (const [text, wanted] of addresses) {
    const loaded = load(t, { flags: [flag('upstream.allow', text)] });
    t.strictSame(loaded.ok ? loaded.settings.upstream.allow[0] : undefined, wanted, text);
  }
  t.end();
});

t.test('paths of a file are relative to it, those of flags and environment to the working folder', (t) => {
  const cwd = t.testdir({
    etc: {
      'w.yaml':
        'home: h\npolicy: {bundle: ../b}\nadmin: {token_file: <home>/t}\n' +
        'upstream: {client_certificates: [{host: a.test, certificate_file: c.pem, key_file: <home>/k.pem}]}\n',
    },
  });
  const given = { env: { WRIT_GRANT__AUTHORITIES: 'a.json' }, cwd, configFile: 'etc/w.yaml' };
  const loaded = loadSettings({ ...given, flags: [flag('upstream.extra_roots', '/abs/roots.pem')] });
  if (!loaded.ok) throw new Error(loaded.faults.map(faultText).join());
  t.equal(loaded.settings.home, join(cwd, 'etc/h'));
  t.equal(loaded.settings.policy.bundle, join(cwd, 'b'));
  t.equal(loaded.settings.admin.token_file, join(cwd, 'etc/h/t'));
  const [files] = loaded.settings.upstream.client_certificates;
  t.match(files, { certificate_file: join(cwd, 'etc/c.pem'), key_file: join(cwd, 'etc/h/k.pem') });
  t.equal(loaded.settings.grant.authorities, join(cwd, 'a.json'));
  t.equal(loaded.settings.upstream.extra_roots, '/abs/roots.pem');
  t.equal(loaded.settings.limits.spool, join(cwd, 'etc/h/spool'));
  t.notMatch(JSON.stringify(loaded.settings), /<home>/);
  t.equal(loaded.sources.get('home'), join('etc', 'w.yaml') + ':1');
  t.end();
});

t.test('the digest depends on what holds, not on where it came from', (t) => {
  const home = 'home: /srv/h\n';
  const plain = settingsDigest(settings(t, { file: home }).settings);
  t.match(plain, /^[0-9a-f]{64}$/);
  t.equal(settingsDigest(settings(t, { env: { WRIT_HOME: '/srv/h' } }).settings), plain);
  t.not(settingsDigest(settings(t, { file: `${home}stop: {grace_seconds: 11}\n` }).settings), plain);
  const routed = `${home}routes:\n- {prefix: /a, upstream: "http://a.test"}\n`;
  t.not(settingsDigest(settings(t, { file: routed }).settings), plain);
  t.end();
});
