import { spawn, spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(args: readonly string[], over: { cwd?: string; env?: Record<string, string> } = {}): Ran {
  const env = { PATH: process.env['PATH'], ...over.env };
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', cwd: over.cwd, env });
}

t.test('exit codes: 0 yes, 1 no, 2 usage or settings, 3 could not', (t) => {
  const cwd = t.testdir({ 'bad.yaml': 'foo: 1\n' });
  const rows: [readonly string[], number, RegExp][] = [
    [['--help'], 0, /Usage: writ/],
    [[], 0, /Usage: writ/],
    [['--version'], 0, /^\d+\.\d+\.\d+/],
    [['config', 'check'], 0, /^ok/],
    [['doctor', '--ready', '--home', 'nowhere', '--admin', '127.0.0.1:1'], 1, /^not ready/],
    [['nonsense'], 2, /unknown command/],
    [['config', 'check', '--nonsense'], 2, /unknown option/],
    [['config', 'check', '--config', 'bad.yaml'], 2, /^bad\.yaml:1: foo: no such setting/],
    [['config', 'print', '--config', 'bad.yaml'], 2, /bad\.yaml:1: foo: no such setting/],
    [['config', 'print', '--set', 'x'], 2, /--set takes name=value/],
    [['receipt', 'verify', 'no-such-file', '--trust', 'none'], 3, /no-such-file|none/],
  ];
  for (const [args, status, said] of rows) {
    const ran = writ(args, { cwd });
    t.equal(ran.status, status, args.join(' '), { ran });
    t.match(ran.stdout + ran.stderr, said, args.join(' '));
  }
  t.end();
});

t.test('data goes to stdout and can be read by a program; faults go to stderr', (t) => {
  const cwd = t.testdir({});
  const printed = writ(['config', 'print', '--json'], { cwd });
  t.match(JSON.parse(printed.stdout), { settings: { policy: { deadline_ms: 250 } }, file: null });
  t.equal(printed.stderr, '');
  const failed = writ(['config', 'print', '--set', 'policy.deadline_ms=x'], { cwd });
  t.equal(failed.stdout, '');
  t.match(failed.stderr, '--set policy.deadline_ms: policy.deadline_ms: must be a whole number');
  t.end();
});

t.test('a hostile file name does not steer the terminal', (t) => {
  const ran = writ(['config', 'check', '--config', '\u001b[2Jx'], { cwd: t.testdir({}) });
  t.notMatch(ran.stdout + ran.stderr, '\u001b');
  t.match(ran.stdout, '\\u{1b}[2Jx');
  t.end();
});

t.test('a reader that has enough ends the command without a complaint', (t) => {
  const script = `"${process.execPath}" "${BIN}" config schema | head -c 10`;
  const ran = spawnSync('bash', ['-c', `set -o pipefail; ${script}`], {
    encoding: 'utf8',
    cwd: t.testdir({}),
  });
  t.equal(ran.stdout.length, 10);
  t.equal(ran.stderr, '');
  t.end();
});

t.test('a verdict that nobody reads to its end stays what it is', (t) => {
  const script = `"${process.execPath}" "${BIN}" doctor --ready --home nowhere --admin 127.0.0.1:1 | true; exit \${PIPESTATUS[0]}`;
  const ran = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: t.testdir({}) });
  t.equal(ran.status, 1);
  t.equal(ran.stderr, '');
  t.end();
});

t.test('an answer that cannot be written is no answer', { skip: !existsSync('/dev/full') }, (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  for (const args of [
    ['config', 'check'],
    ['doctor', '--ready', '--home', 'nowhere'],
  ]) {
    const stdio: StdioOptions = ['ignore', full, 'pipe'];
    const ran = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', cwd: t.testdir({}), stdio });
    t.equal(ran.status, 3, args.join(' '));
    t.match(ran.stderr, /^writ: standard output cannot be written: ENOSPC/);
  }
  t.end();
});

t.test('a standard output that is closed is the null device, and the verdict stays what it is', (t) => {
  for (const [args, status] of [
    ['config check', 0],
    ['grant inspect x --home .', 1],
  ] as const) {
    const script = `exec "${process.execPath}" "${BIN}" ${args} >&-`;
    const ran = spawnSync('sh', ['-c', script], { encoding: 'utf8', cwd: t.testdir({}) });
    t.equal(ran.status, status, args);
    t.notMatch(ran.stderr, 'cannot be written', args);
  }
  t.end();
});

/** A copy of bin.js in a project whose program only says what it got, run by something that claims to be an old Node. */
function oldNode(test: Test, pinned: boolean): { bin: string; preload: string; root: string } {
  const root = test.testdir({
    'package.json': '{"type":"module"}',
    src: { cli: {}, 'main.ts': MAIN },
    'old.cjs':
      "if (!process.env.NEW) Object.defineProperty(process.versions, 'node', { value: '20.20.2' }); process.env.NEW = '1';",
  });
  cpSync(BIN, join(root, 'src/cli/bin.js'));
  if (pinned) {
    const folder = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin');
    mkdirSync(folder, { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node'));
  }
  return { root, bin: join(root, 'src/cli/bin.js'), preload: join(root, 'old.cjs') };
}

const MAIN = `
export async function main(args: readonly string[]): Promise<number> {
  const stay = args[0] === 'stay' ? setInterval(() => undefined, 1000) : undefined;
  const ended = new Promise<number>((resolve) => stay && process.once('SIGTERM', () => resolve(7)));
  process.stdout.write(JSON.stringify(args) + '\\n');
  if (!stay) return Number(args[0]);
  return ended.finally(() => clearInterval(stay));
}
`;

/** Says what it can do, here and in a thread, then waits for SIGTERM. */
const HARDENED_MAIN = `
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
export async function main(args: readonly string[]): Promise<number> {
  const say = "require('node:worker_threads').parentPort.postMessage('__proto__' in {})";
  const proto = ['__proto__' in {}, ...(await once(new Worker(say, { eval: true }), 'message'))];
  const stay = setInterval(() => undefined, 1000);
  const ended = new Promise<number>((resolve) => process.once('SIGTERM', () => resolve(7)));
  const addons = !process.execArgv.includes('--no-addons');
  process.stdout.write(JSON.stringify({ args, proto, addons, pid: process.pid, title: process.title }) + '\\n');
  return ended.finally(() => clearInterval(stay));
}
`;

t.test('an old Node without the pinned one says what to do and exits 3', (t) => {
  const { bin, preload } = oldNode(t, false);
  const ran = spawnSync(process.execPath, ['--require', preload, bin, '0'], { encoding: 'utf8' });
  t.equal(ran.status, 3);
  t.match(ran.stderr, /Node 24\.15 or newer is needed; this is 20\.20\.2/);
  t.match(ran.stderr, /npm ci/);
  t.equal(ran.stdout, '');
  t.end();
});

t.test('an old Node hands over to the pinned one: arguments, exit code and signals', async (t) => {
  const { bin, preload } = oldNode(t, true);
  const ran = spawnSync(process.execPath, ['--require', preload, bin, '5', 'a b', "'"], { encoding: 'utf8' });
  t.equal(ran.status, 5);
  t.equal(ran.stdout, '["5","a b","\'"]\n');

  const child = spawn(process.execPath, ['--require', preload, bin, 'stay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  t.strictSame(await once(child, 'exit'), [7, null]);

  const killed = spawn(process.execPath, ['--require', preload, bin, 'stay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(killed.stdout, 'data');
  killed.kill('SIGHUP');
  t.strictSame(
    await once(killed, 'exit'),
    [null, 'SIGHUP'],
    'a signal that ends the child ends us the same way',
  );
});

t.test('what serves runs without __proto__, addons and a debugger, however it was started', async (t) => {
  const { bin, preload, root } = oldNode(t, true);
  writeFileSync(join(root, 'src/main.ts'), HARDENED_MAIN);
  const rows: [string, readonly string[]][] = [
    ['by Node', ['--inspect-port=0', '--title=kept', bin, 'serve', '--x', 'a b']],
    ['by an old Node', ['--require', preload, bin, 'serve', '--x', 'a b']],
  ];
  for (const [name, args] of rows) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const stderr = text(child.stderr);
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]; // it says one line
    const told = JSON.parse(line) as { pid: number };
    t.match(told, { args: ['serve', '--x', 'a b'], proto: [false, false], addons: false }, name);
    if (name === 'by Node') t.match(told, { pid: child.pid, title: 'kept' }, 'the same process');
    process.kill(told.pid, 'SIGUSR1');
    child.kill('SIGTERM');
    t.strictSame(await once(child, 'exit'), [7, null], name);
    t.equal(await stderr, '', 'no debugger listens');
  }
});

t.test('a program that breaks, now or later, is told with its stack, exit 3', (t) => {
  const { bin, root } = oldNode(t, false);
  const rows: [string, RegExp][] = [
    ["throw new Error('broken')", /writ: Error: broken\n +at /],
    ["setImmediate(() => { throw new Error('later'); }); return new Promise(() => {})", /writ: Error: later\n +at /],
    ["void Promise.reject(new Error('lost')); return 0", /writ: Error: lost\n +at /],
    ['return new Promise(() => {})', /^writ: it ended without an answer\n$/],
  ]; // prettier-ignore
  for (const [body, stderr] of rows) {
    writeFileSync(join(root, 'src/main.ts'), `export const main = async () => { ${body}; };`);
    const ran = spawnSync(process.execPath, [bin], { encoding: 'utf8' });
    t.match(ran, { status: 3, stderr }, body);
  }
  t.end();
});

t.test('the probe says ready only when the running sidecar does', async (t) => {
  let status = 503;
  const admin = createServer((_, response) => response.writeHead(status).end('{}'));
  await once(admin.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => admin.close());
  const { port } = admin.address() as AddressInfo; // a TCP listener
  const home = t.testdir({
    'run.json': JSON.stringify({ admin: `http://127.0.0.1:${port}`, pid: process.pid }),
  });
  const probe = async (): Promise<unknown> => {
    const child = spawn(process.execPath, [BIN, 'doctor', '--ready'], {
      env: { WRIT_HOME: home },
      stdio: 'ignore',
    });
    return (await once(child, 'exit'))[0];
  };
  t.equal(await probe(), 1);
  status = 200;
  t.equal(await probe(), 0);
  await once(admin.close(), 'close');
  t.equal(await probe(), 1, 'a stale run.json is not ready');
});

t.test('the program is executable', (t) => {
  t.equal(statSync(BIN).mode & 0o111, 0o111);
  t.equal(
    spawnSync(BIN, ['--version'], { encoding: 'utf8', env: { PATH: join(process.execPath, '..') } }).status,
    0,
  );
  t.end();
});
