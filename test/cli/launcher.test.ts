/** The image's launcher, run as it is: what reaches Node, and what does not. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ChildSidecar, hasProc } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import { IMAGE_FLAGS } from '../image-flags.ts';

const LAUNCHER = fileURLToPath(new URL('../../deploy/image/writ', import.meta.url));
/** Shows its arguments, its limit of a core file and its environment, each in a line; it is no Node, and loads nothing. */
const FAKE_NODE =
  '#!/bin/sh\nprintf \'%s\\n\' "arg:$@" | sed \'2,$s/^/arg:/\'\necho "core:$(ulimit -c)"\nenv\n';

const LOADERS = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_COMPILE_CACHE'],
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT'],
  ...['OPENSSL_CONF', 'OPENSSL_MODULES', 'OPENSSL_ENGINES'],
];

t.test('variables that load other code do not reach Node; others, arguments and flags do', (t) => {
  const folder = t.testdir({});
  const node = join(folder, 'node');
  writeFileSync(node, FAKE_NODE);
  chmodSync(node, 0o755);
  const loaders = Object.fromEntries(LOADERS.map((name) => [name, '/nowhere/evil.so']));
  const env = { PATH: `${folder}:/usr/bin:/bin`, WRIT_HOME: '/var/lib/writ/home', ...loaders };
  const ran = spawnSync('/bin/sh', [LAUNCHER, 'serve', 'a b', "'$HOME'"], { env, encoding: 'utf8' });
  const lines = ran.stdout.trimEnd().split('\n');
  const named = (prefix: string): readonly string[] =>
    lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  t.strictSame(named('arg:'), [...IMAGE_FLAGS, '/opt/writ/src/cli/bin.js', 'serve', 'a b', "'$HOME'"]);
  t.strictSame(named('core:'), ['0'], 'no core file');
  t.strictSame(named('WRIT_HOME='), ['/var/lib/writ/home']);
  t.strictSame(named('UV_THREADPOOL_SIZE='), ['8']);
  for (const name of LOADERS) t.strictSame(named(`${name}=`), [], name);
  t.notMatch(ran.stdout, /evil/);
  t.end();
});

t.test('the flags shut what an attacker could use', (t) => {
  for (const flag of ['--disable-proto=delete', '--disable-sigusr1', '--no-addons'])
    t.ok(IMAGE_FLAGS.includes(flag), flag);
  t.notOk(IMAGE_FLAGS.some((flag) => flag.startsWith('--inspect')));
  t.end();
});

t.test('no debugger listens in a sidecar that got SIGUSR1', { skip: !hasProc }, async (t) => {
  const starts = [
    ['by the image’s launcher', IMAGE_FLAGS],
    ['by `writ` outside it', []],
  ] as const;
  for (const [name, nodeArgs] of starts) {
    const sidecar = await ChildSidecar.start(t, await makeHome(t, {}), { nodeArgs });
    const before = listening(sidecar.pid);
    t.ok(before.includes(sidecar.port('admin')), 'listening ports are seen');
    const environment = readFileSync(`/proc/${sidecar.pid}/environ`, 'latin1').split('\0');
    t.ok(environment.includes('UV_THREADPOOL_SIZE=8'), 'and names cannot take all threads');
    sidecar.signal('SIGUSR1');
    await sidecar.reload(); // it goes on, and answers the next signal
    t.strictSame(listening(sidecar.pid), before, name);
    t.match(await sidecar.stop(), { code: 0 }, name);
  }
});

/** The TCP ports on which a process listens, by proc(5). */
function listening(pid: number): readonly number[] {
  const held = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  const rows = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n'),
  );
  return rows
    .map((row) => row.trim().split(/ +/))
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && held.includes(`socket:[${inode}]`))
    .map(([, local = '']) => parseInt(local.split(':').at(-1) ?? '', 16))
    .toSorted((one, other) => one - other);
}

/** In /proc/net/tcp. */
const LISTEN = '0A';

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
