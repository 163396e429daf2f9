/** Somebody else where the sidecar listened before it crashed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const NOBODY = 65_534;
/** Tells its port, then what it is sent. */
const LISTENER = `require('net').createServer((socket) => socket.on('data', (bytes) => console.log(String(bytes))))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

/** Tells its port, and ends each connection in the middle of its answer. */
const BREAKING = `require('net').createServer((socket) => socket.once('data', () => socket.end(
  'HTTP/1.1 201 Created\\r\\nContent-Type: application/json\\r\\nContent-Length: 500\\r\\n\\r\\n{"token')))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

const skip = process.getuid?.() === 0 ? false : 'only root can run a program as somebody else';

t.test('the admin token is not sent to another user', { skip }, async (t) => {
  const home = join(t.testdir({}), 'home');
  spawnSync(process.execPath, [BIN, 'init', '--home', home], { env: {} });
  const nobody = { uid: NOBODY, gid: NOBODY, cwd: '/', env: {} };
  const impostor = spawn(process.execPath, ['-e', LISTENER], {
    ...nobody,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => impostor.kill());
  const told: string[] = [];
  const lines = createInterface({ input: impostor.stdout }).on('line', (line) => told.push(line));
  const [port] = (await once(lines, 'line')) as [string];
  writeFileSync(join(home, 'run.json'), JSON.stringify({ admin: `http://127.0.0.1:${port}`, pid: 1 }));
  const issue = ['grant', 'issue', '--home', home, '--location', 'http://a.test'];
  const { status, stderr } = spawnSync(process.execPath, [BIN, ...issue], { env: {}, encoding: 'utf8' });
  t.equal(status, 3);
  t.match(stderr, /user 65534, not the sidecar’s user 0, listens at http:\/\/127\.0\.0\.1:\d+/);
  t.match(stderr, /The admin token was not sent/);
  impostor.kill();
  await once(lines, 'close');
  t.strictSame(told, [port]);
});

t.test('a sidecar that ends while it answers is no fault of the command', async (t) => {
  const home = join(t.testdir({}), 'home');
  const writ = (...args: readonly string[]) =>
    spawnSync(process.execPath, [BIN, ...args, '--home', home], { env: {}, encoding: 'utf8' });
  writ('init');
  const breaking = spawn(process.execPath, ['-e', BREAKING], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => breaking.kill());
  const [port] = (await once(createInterface({ input: breaking.stdout }), 'line')) as [string];
  writeFileSync(join(home, 'run.json'), JSON.stringify({ admin: `http://127.0.0.1:${port}`, pid: 1 }));
  const issued = writ('grant', 'issue', '--location', 'http://a.test');
  t.match(issued, { status: 3, stdout: '', stderr: /broke off its answer\n +Its log says why/ });
  t.notMatch(issued.stderr, 'fault of writ itself');
  const { stdout } = writ('doctor');
  t.match(stdout, /BAD +clients +the sidecar at .* broke off its answer/);
  t.notMatch(stdout, 'token was not sent');
});
