/** What a newcomer gets wrong: each answer says what is wrong, and what to do, and has the exit code of the table. */
import { spawn, spawnSync } from 'node:child_process';
import type { SpawnSyncOptionsWithStringEncoding } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkPath } from '../../src/cli/policy/eval-path.ts';
import { systemFailure } from '../../src/cli/system-fault.ts';
import { newKey } from '../../src/crypto/node.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const NOBODY = 65534;

const options: SpawnSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  env: {},
  stdio: ['ignore', 'pipe', 'pipe'],
};
const writ = (...args: string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [BIN, ...args], options);

t.test('a command line that is not understood exits 2, with the help to read', (t) => {
  const rows: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['start'], /unknown command 'start'\n`writ --help` lists the commands/],
    [['--home', 'x', 'serve'], /the flags of a command stand after its name/],
    [['grant', 'isue'], /Did you mean issue\?\)\n`writ grant --help`/],
    [['receipt', 'verify', 'x'], /required option '--trust.*\n`writ receipt verify --help` says/],
  ];
  for (const [args, said] of rows) t.match(writ(...args), { status: 2, stderr: said }, args.join(' '));
  t.match(writ('help', 'grant', 'issue'), { status: 0, stdout: /^Usage: writ grant issue / });
  t.end();
});

t.test('policy eval sets only what the input of a policy has', (t) => {
  const rows: readonly (readonly [path: string, message: RegExp, remedy: RegExp])[] = [
    ['call.methd', /no call\.methd$/, /^Did you mean call\.method\?/],
    ['cal.method', /no cal$/, /^Did you mean call\?/],
    ['call.foobar', /no call\.foobar$/, /^There is call\.method\|action\|/],
    ['call.content.llm.modle', /no call\.content\.llm\.modle$/, /^Did you mean call\.content\.llm\.model\?/],
  ];
  for (const [path, message, remedy] of rows)
    t.throws(() => checkPath(path.split('.')), { exit: 2, message, remedy }, path);
  for (const path of ['call.method', 'grant.claims.any', 'call.headers.x', 'call.content.json.a.b', 'call'])
    t.doesNotThrow(() => checkPath(path.split('.')), path);
  t.end();
});

t.test('a home of another user is no missing home', (t) => {
  const folder = scratchFolder(t);
  const home = join(folder, 'home');
  writ('init', '--home', home);
  const uid = process.getuid?.() === 0 ? NOBODY : undefined;
  if (uid === undefined) chmodSync(home, 0);
  else chmodSync(folder, 0o755);
  t.teardown(() => chmodSync(home, 0o700));
  const as = (...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [BIN, ...args, '--home', home], { ...options, ...(uid && { uid }) });
  if (as('lineage', '--help').status !== 0) return void t.end(); // that user cannot even read the program here
  const denied = { status: 3, stdout: '', stderr: /home.*: permission denied to this user\n +\w/ };
  for (const command of ['lineage show', 'serve', 'grant issue'])
    t.match(as(...command.split(' ')), denied, command);
  t.match(as('doctor'), { status: 1, stdout: /BAD +home .*permission denied to this user/ });
  t.end();
});

t.test('what the system refuses is said in words, with what to do', (t) => {
  const fault = (code: string, path?: string): Error =>
    Object.assign(new Error(`${code}: as the system says it`), {
      code,
      syscall: 'write',
      ...(path && { path }),
    });
  t.match(systemFailure(fault('ENOSPC')), {
    message: 'no space is left on the disk',
    remedy: /Make room/,
    exit: 3,
  });
  t.match(systemFailure(fault('EROFS', '/a/b')), { message: '/a/b: the file system is read-only' });
  t.match(systemFailure(fault('EXYZ', '/a/b')), { message: '/a/b: EXYZ: as the system says it' });
  t.equal(systemFailure(new Error('ours')), undefined);
  t.end();
});

t.test('dev whose authority cannot be used says what to do, and ends', (t) => {
  const home = join(scratchFolder(t), 'home');
  writ('init', '--home', home);
  const ports = '--forward 0 --reverse off --transparent off --admin 0'.split(' ');
  const [key, list] = [join(home, 'keys', 'authority.jwk'), join(home, 'authorities.json')];
  const dev = (): unknown =>
    spawnSync(process.execPath, [BIN, 'dev', '--home', home, ...ports], { ...options, timeout: 60_000 });
  const says = (stderr: string): object => ({ status: 3, stdout: '', stderr });
  writeFileSync(key, '');
  t.match(dev(), says(`${key} is not an Ed25519 private key as JWK. Restore it, or move that file away`));
  writeFileSync(key, JSON.stringify(newKey()));
  t.match(dev(), says(`${list} does not list the key in ${key}. Add its public half`));
  t.notOk(existsSync(join(home, 'run.json')));
  t.end();
});

t.test('dev ends with its terminal', async (t) => {
  const home = join(scratchFolder(t), 'home');
  const ports = '--forward 0 --reverse 0 --transparent 0 --admin 0';
  const command = `${process.execPath} ${BIN} dev --home ${home} ${ports}`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: { TERM: 'dumb' } });
  let said = '';
  for await (const chunk of terminal.stdout) if ((said += String(chunk)).includes('Calls appear')) break;
  const run = join(home, 'run.json');
  const { pid } = JSON.parse(readFileSync(run, 'utf8')) as { pid: number };
  t.teardown(() => existsSync(run) && process.kill(pid));
  const cleanedUp = new Promise<void>((resolve) => {
    const watcher = watch(home, () => existsSync(run) || resolve());
    t.teardown(() => watcher.close());
  });
  terminal.kill('SIGKILL');
  await cleanedUp;
});

t.test('dev whose reader went away closes its log before it ends', async (t) => {
  const home = join(scratchFolder(t), 'home');
  const ports = ['--forward', '0', '--reverse', 'off', '--transparent', 'off', '--admin', '0'];
  const dev = spawn(process.execPath, [BIN, 'dev', '--home', home, ...ports], { env: {} });
  t.teardown(() => dev.kill('SIGKILL'));
  let said = '';
  for await (const chunk of dev.stdout.iterator({ destroyOnReturn: false }))
    if ((said += String(chunk)).includes('Calls appear')) break;
  const exited = once(dev, 'exit');
  dev.stdout.destroy();
  const run = join(home, 'run.json');
  const { forward } = JSON.parse(readFileSync(run, 'utf8')) as { forward: string };
  t.equal((await fetch(forward)).status, 403, 'a line of the list that nobody reads');
  t.strictSame(await exited, [0, null]);
  t.notOk(existsSync(run), 'it has cleaned up');
});

t.test('dev whose reader has enough before the tour is over closes its log too', async (t) => {
  const home = join(scratchFolder(t), 'home');
  const ports = ['--forward', '0', '--reverse', 'off', '--transparent', 'off', '--admin', '0'];
  const dev = spawn(process.execPath, [BIN, 'dev', '--tour', '--home', home, ...ports], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => dev.kill('SIGKILL'));
  const exited = once(dev, 'exit');
  dev.stdout.once('data', () => dev.stdout.destroy());
  t.equal(await text(dev.stderr), '');
  t.strictSame(await exited, [0, null]);
  t.notOk(existsSync(join(home, 'run.json')), 'it has cleaned up');
});
