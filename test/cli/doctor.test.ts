import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { loaderFinding, nodeFinding, proxyFinding } from '../../src/cli/doctor/machine.ts';
import { logFindings } from '../../src/cli/doctor/home.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { judgeTracing, readTraceable } from '../../src/cli/doctor/tracing.ts';
import type { Traceable } from '../../src/cli/doctor/tracing.ts';
import { hasProc, serve } from '../e2e/child-sidecar.ts';
import { startOrigin } from '../e2e/origin.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const ANY_PORTS = ['--forward', '0', '--reverse', '0', '--transparent', '0', '--admin', '0'];

interface Examined {
  readonly status: number | null;
  readonly text: string;
}

function writ(args: readonly string[], env: Record<string, string> = {}): Examined {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env });
  return { status, text: stdout + stderr };
}

function freshHome(test: Test): string {
  const home = join(test.testdir({}), 'home');
  const made = writ(['init', '--home', home]);
  if (made.status !== 0) throw new Error(made.text);
  return home;
}

function examine(
  home: string,
  args: readonly string[] = ANY_PORTS,
): { ok: boolean; findings: Finding[]; status: number | null } {
  const { status, text } = writ(['doctor', '--json', '--home', home, ...args]);
  return { status, ...(JSON.parse(text) as { ok: boolean; findings: Finding[] }) }; // our own output
}

t.test('a fresh home has nothing bad, and the doctor says what is missing', (t) => {
  const home = freshHome(t);
  const { ok, findings, status } = examine(home);
  t.equal(status, 0);
  t.equal(ok, true, { findings });
  t.match(
    findings.find(({ name }) => name === 'authorities'),
    { state: 'warn', next: /writ keys new authority/ },
  );
  const { text } = writ(['doctor', '--home', home, ...ANY_PORTS]);
  t.match(text, /^ok +node +24\./m);
  t.match(text, /What to do next:\n[^]*^ {2}authorities: /m);
  t.end();
});

t.test('each thing that is wrong is found, with its name and what to do; exit 1', (t) => {
  const home = freshHome(t);
  const rows: [string, () => void, string, RegExp, (() => void)?][] = [
    ['a key others can read', () => chmodSync(join(home, 'keys/log.jwk'), 0o644), 'home', /can be read by others/, () => chmodSync(join(home, 'keys/log.jwk'), 0o600)],
    ['a home others can enter', () => chmodSync(home, 0o755), 'home', /can be read by others/, () => chmodSync(home, 0o700)],
    ['authorities that are none', () => writeFileSync(join(home, 'authorities.json'), '{"authorities":['), 'authorities', /authorities\.json/],
    ['no authorities', () => rmSync(join(home, 'authorities.json')), 'authorities', /authorities\.json: there is no such file/],
    ['a bundle without its wasm', () => rmSync(join(home, 'policy/active/policy.wasm')), 'policy', /policy\.wasm/],
    ['a changed checkpoint', () => writeFileSync(join(home, 'lineage/checkpoint'), 'x\n1\n\n'), 'log', /does not verify/],
    ['a lost receipt key', () => rmSync(join(home, 'keys/receipt.jwk')), 'log', /receipt\.jwk/],
    ['a lost log', () => rmSync(join(home, 'lineage'), { recursive: true }), 'log', /no log/],
  ]; // prettier-ignore
  for (const [name, breakIt, part, wanted, mend] of rows) {
    breakIt();
    const { ok, findings, status } = examine(home);
    t.equal(status, 1, name);
    t.equal(ok, false, name);
    const found = findings.filter((finding) => finding.name === part && finding.state === 'bad');
    t.match(found, [{ found: wanted, next: /./ }], name, { findings });
    mend?.();
  }
  t.end();
});

t.test('no home, a foreign folder and faulty settings are told apart', (t) => {
  const folder = t.testdir({ 'other.txt': 'x', 'writ.yaml': 'foo: 1\nhome: 5\n' });
  t.match(examine(join(folder, 'none')).findings.find(({ name }) => name === 'home'), { found: /not there/, next: /writ init/ }); // prettier-ignore
  t.match(
    examine(folder).findings.find(({ name }) => name === 'home'),
    { found: /something else/ },
  );
  const { findings, status, ok } = examine(folder, ['--config', join(folder, 'writ.yaml')]);
  t.equal(status, 2, 'as every command says of settings');
  t.notOk(ok);
  t.match(
    findings.filter(({ name }) => name === 'settings'),
    [{ found: /writ\.yaml:1: foo/ }],
  );
  t.end();
});

t.test('a port that somebody else holds is bad, with its flag', async (t) => {
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const { port } = other.address() as AddressInfo; // a TCP listener
  const { findings } = examine(freshHome(t), [
    '--forward',
    String(port),
    '--reverse',
    '0',
    '--transparent',
    '0',
    '--admin',
    'off',
  ]);
  other.close();
  t.match(
    findings.find(({ name }) => name === 'port (forward)'),
    { state: 'bad', found: /in use/, next: /--forward/ },
  );
  t.match(
    findings.find(({ name }) => name === 'port (admin)'),
    { state: 'good', found: 'off' },
  );
});

t.test('a clock before the log’s last entry is bad', (t) => {
  const home = freshHome(t);
  const clock = (now: number): string | undefined =>
    logFindings(home, now).find(({ name }) => name === 'clock')?.state;
  t.equal(clock(Date.now()), 'good');
  t.equal(clock(Date.now() - 3_600_000), 'bad');
  t.end();
});

t.test('proxy variables that lead round the sidecar, and those that curl does not read', (t) => {
  const rows: [Record<string, string>, Finding['state']][] = [
    [{}, 'good'],
    [{ http_proxy: 'http://127.0.0.1:3128' }, 'good'],
    [{ no_proxy: 'intra.example' }, 'good'],
    [{ no_proxy: 'localhost,intra.example' }, 'warn'],
    [{ NO_PROXY: '10.0.0.0/8, 127.0.0.1' }, 'warn'],
    [{ no_proxy: '*' }, 'warn'],
    [{ no_proxy: '::1' }, 'warn'],
    [{ HTTP_PROXY: 'http://127.0.0.1:3128' }, 'warn'],
  ];
  for (const [env, state] of rows) t.equal(proxyFinding(env).state, state, JSON.stringify(env));
  const proxy = 'http://grant:eyJh.eyJp.c2ln@127.0.0.1:3128';
  for (const given of [proxy, proxy.slice('http://'.length), 'http://a:b/c@d@127.0.0.1:3128'])
    t.match(
      proxyFinding({ http_proxy: given, HTTPS_PROXY: given }).found,
      /^http_proxy is (http:\/\/)?…@127.0.0.1:3128, HTTPS_PROXY is (http:\/\/)?…@127.0.0.1:3128$/,
      'and no grant is shown',
    );
  for (const name of ['NODE_OPTIONS', 'NODE_COMPILE_CACHE', 'LD_PRELOAD', 'OPENSSL_CONF'])
    t.match(loaderFinding({ [name]: 'x' }), { state: 'warn', found: name });
  t.equal(loaderFinding({}).state, 'good');
  for (const [version, state] of [['24.15.0', 'good'], ['24.14.9', 'bad'], ['25.0.0', 'good'], ['20.20.2', 'bad']] as const)
    t.equal(nodeFinding(version).state, state, version); // prettier-ignore
  t.end();
});

t.test('who may trace the sidecar is told', (t) => {
  const plain: Traceable = { uid: 1000, owner: 1000, capabilities: 0n, scope: 0 };
  const rows: [string, Traceable | undefined, Finding['state'], RegExp][] = [
    ['a process of any user', plain, 'warn', /any process of uid 1000 can read its memory/],
    ['a Node that its user may not read', { ...plain, owner: 0 }, 'good', /nobody without CAP_SYS_PTRACE/],
    ['Yama, parents', { ...plain, scope: 1 }, 'good', /only its parents, .* is 1\)/],
    ['Yama, administrators', { ...plain, scope: 2 }, 'good', /^nobody without CAP_SYS_PTRACE \(.* is 2\)/],
    ['root under that', { ...plain, uid: 0, scope: 2 }, 'warn', /root/],
    ['Yama, nobody', { ...plain, scope: 3 }, 'good', /^nobody, not even root \(.* is 3\)/],
    [
      'root under that',
      { ...plain, uid: 0, owner: 0, capabilities: 0x80000n, scope: 3 },
      'good',
      /^nobody, not even root/,
    ],
    ['a capability too many', { ...plain, owner: 0, capabilities: 0x80000n }, 'warn', /CAP_SYS_PTRACE/],
    ['other capabilities', { ...plain, owner: 0, capabilities: 0x7ffffn }, 'good', /nobody/],
    ['root', { ...plain, uid: 0, owner: 0 }, 'warn', /root/],
    ['a system that does not say', undefined, 'good', /does not say/],
  ];
  for (const [name, given, state, found] of rows) t.match(judgeTracing(given), { state, found }, name);
  t.end();
});

const notRoot = process.getuid?.() !== 0 && 'only root may start a program under another uid';

t.test('a program of mode 0711 is not dumpable for its user, one of 0755 is', { skip: notRoot }, async (t) => {
  const program = join(t.testdir({}), 'program');
  copyFileSync('/bin/cat', program);
  const NOBODY = 65_534;
  for (const [mode, owner] of [[0o711, 0], [0o755, NOBODY]] as const) {
    chmodSync(program, mode);
    const child = spawn(program, { uid: NOBODY, gid: NOBODY, stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.write('x');
    await once(child.stdout, 'data'); // it runs as itself
    t.match(readTraceable(child.pid ?? 0), { uid: NOBODY, owner, capabilities: 0n }, mode.toString(8));
    child.stdin.end();
    await once(child, 'exit');
  }
}); // prettier-ignore

t.test('an agent under the sidecar’s own uid is told of', { skip: !hasProc }, async (t) => {
  const origin = await startOrigin(t);
  const sidecar = await serve(t, { origins: [origin] });
  const config = ['doctor', '--json', '--config', sidecar.home.settingsFile];
  const tracing = async (): Promise<Finding | undefined> => {
    const child = spawn(process.execPath, [BIN, ...config], { stdio: ['ignore', 'pipe', 'ignore'], env: {} });
    const { findings } = JSON.parse(await text(child.stdout)) as { findings: Finding[] }; // our own output
    return findings.find(({ name }) => name === 'tracing');
  };
  t.notMatch((await tracing())?.found, /an agent called/, 'nobody called yet');
  await fetch(`http://127.0.0.1:${sidecar.port('reverse')}/api/hello`);
  t.match(await tracing(), { state: 'warn', found: /under the sidecar’s own uid/, next: /another uid/ });
});

t.test('files that upstreams are called with are looked at, where there are any', (t) => {
  const home = freshHome(t);
  const roots = join(home, 'roots.pem');
  const upstream = (): Finding | undefined =>
    examine(home, [...ANY_PORTS, '--set', `upstream.extra_roots=${roots}`]).findings.find(
      ({ name }) => name === 'upstream files',
    );
  t.match(upstream(), { state: 'bad', found: /^upstream\.extra_roots: ENOENT/ });
  writeFileSync(roots, rootCertificates[0] ?? '');
  t.match(upstream(), { state: 'good' });
  t.end();
});
