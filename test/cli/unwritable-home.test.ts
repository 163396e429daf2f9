/** Homes that cannot be written to: a read-only mount, and another user's. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { notArchived } from '../../src/lineage/archive.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { lockRetention } from '../../src/lineage/lock.ts';
import { WitnessFile } from '../../src/lineage/witness/memory.ts';
import { makeHome } from '../e2e/home.ts';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
const MOUNTING = ['unshare', '--map-root-user', '--mount', 'sh', '-c', READ_ONLY];
/** Who owns nothing. */
const NOBODY = 65534;

const cannotMount =
  missing('unshare') ||
  (run(...MOUNTING, import.meta.dirname, 'true').status === 0 ? false : 'nobody may mount here');
const cannotChange =
  missing('setpriv') || (process.getuid?.() === 0 ? false : 'only root can become another user');

function run(program = '', ...args: readonly string[]) {
  return spawnSync(program, args, { encoding: 'utf8', env: { PATH: process.env['PATH'] }, timeout: 60_000 });
}

/** A command, to be run by a user who owns nothing: who cannot write what the test runner wants of every Node either. */
function asNobody(...args: readonly string[]) {
  const user = ['--reuid', String(NOBODY), '--clear-groups'];
  const program = ['env', '--unset=NODE_OPTIONS', process.execPath, BIN];
  return () => run('setpriv', ...user, ...program, ...args);
}

t.test('from a read-only mount a log is read, and whatever would write says what to do', { skip: cannotMount }, async (t) => {
  const home = await makeHome(t);
  const archive = join(scratchFolder(t), 'archive');
  const writ = (...args: readonly string[]) =>
    run(...MOUNTING, home.path, process.execPath, BIN, ...args, '--home', home.path);
  const says = (what: RegExp) => ({ status: 3, stdout: '', stderr: what });
  t.match(writ('lineage', 'verify'), { status: 0, stdout: /verified/ });
  t.match(writ('lineage', 'show', '0'), { status: 0, stdout: /genesis/ });
  const lock = /hold a lock in the home.*EROFS.* is mounted read-only.* Mount it for writing/;
  t.match(writ('lineage', 'archive', '--before', '1s', '--to', archive), says(lock));
  t.match(writ('lineage', 'prune', '--before', '1s'), says(lock));
  t.match(writ('serve', '--config', home.settingsFile), says(/take its lock: EROFS.* is mounted read-only/));
  t.notOk(existsSync(archive), 'nothing was copied');
  t.notOk(existsSync(layoutOf(home.path).retentionLock));
}); // prettier-ignore

t.test('another user’s home is not taken for one that is not there', { skip: cannotChange }, async (t) => {
  const home = await makeHome(t);
  const { logKey } = layoutOf(home.path);
  const verify = asNobody('lineage', 'verify', '--home', home.path);
  const mine = /This process runs as user 65534/;
  t.match(verify(), { status: 3, stdout: '', stderr: mine }, 'a folder above');
  run('chmod', '-R', 'a+rX', home.folder);
  t.match(verify(), { status: 0, stdout: /verified/, stderr: /^$/ }, 'no key is needed to verify');
  chmodSync(logKey, 0o600);
  const serve = asNobody('serve', '--config', home.settingsFile)();
  t.match(serve, { status: 3, stderr: mine });
  t.notMatch(serve.stderr, /Restore|writ init/);
  chmodSync(layoutOf(home.path).checkpoint, 0o600);
  t.match(verify(), { status: 3, stderr: /checkpoint cannot be read: EACCES.*belongs to user 0/ });
});

t.test('a lock that can only be read is not held', { skip: cannotChange }, async (t) => {
  const home = await makeHome(t);
  const { directory } = layoutOf(home.path);
  lockRetention(layoutOf(home.path)).release();
  run('chmod', '-R', 'a+rX', home.folder);
  chmodSync(directory, 0o777); // so that only the lock itself is another user's
  const args = ['lineage', 'archive', '--before', '1s', '--to', scratchFolder(t), '--home', home.path];
  t.match(asNobody(...args)(), {
    status: 3,
    stderr: /EACCES.*retention-lock'\. This process runs as user 65534, and .*\/lineage belongs to user 0\. /,
  });
});

t.test('what cannot be looked at is not missing', (t) => {
  const folder = scratchFolder(t);
  const loop = join(folder, 'loop');
  symlinkSync('loop', loop);
  const writ = (...args: readonly string[]) => run(process.execPath, BIN, ...args);
  for (const args of [
    ['witness', 'key', '--folder', loop],
    ['lineage', 'compare', loop, loop],
    ['witness', 'init', '--name', 'w.example/1', '--folder', loop],
  ])
    t.match(writ(...args), { status: 3, stdout: '', stderr: /loop\/.*: ELOOP/ }, args.join(' '));
  const segment = { path: join(folder, '0000000000000000.log'), first: 0, until: 1 };
  t.throws(() => notArchived([segment], loop), { code: 'ELOOP' });
  t.end();
});

t.test('what a full disk broke off can be done again', { skip: missing('prlimit') }, async (t) => {
  const home = await makeHome(t);
  const witness = join(scratchFolder(t), 'witness');
  const rows = [
    ['keys', 'new', 'authority', '--iss', 'urn:example:another', '--home', home.path],
    ['witness', 'init', '--name', 'w.example/1', '--folder', witness],
  ];
  for (const args of rows) {
    const full = run('prlimit', '--fsize=0', process.execPath, BIN, ...args);
    t.match(full, { status: 3, stdout: '' }, args.join(' '));
    t.match(run(process.execPath, BIN, ...args), { status: 0 }, args.join(' '));
  }
  const memory = new WitnessFile(join(witness, 'memory.db'));
  memory.close();
  t.end();
});
