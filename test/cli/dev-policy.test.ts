/** `writ dev --policy`: the folder decides, or nothing does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { exchange } from '../e2e/wire.ts';
import { cannotUnwatch, UNWATCHED } from './unwatched.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const BROKEN = 'package policy\n\ndeny contains "all" if {\n';
const DENY_ALL = 'package policy\n\ndeny contains "all" if true\n';

t.test('no other policy takes its place, neither at start nor at a reload', async (t) => {
  const folder = t.testdir({ policy: { 'all.rego': BROKEN } });
  const home = join(folder, 'home');
  const ports = ['--forward', '0', '--reverse', '0', '--transparent', '0', '--admin', '0'];
  const args = ['dev', '--home', home, '--policy', join(folder, 'policy'), ...ports];
  const dev = spawn(process.execPath, [BIN, ...args, '--log-level', 'debug'], { cwd: folder, env: {} });
  t.teardown(() => dev.kill('SIGKILL'));
  const told: string[] = [];
  const screens = [dev.stdout, dev.stderr].map((input) => createInterface({ input }));
  const tells = async (text: string): Promise<void> => {
    while (!told.some((line) => line.includes(text)))
      await Promise.race(screens.map((screen) => once(screen, 'line')));
    told.length = 0;
  };
  for (const screen of screens) screen.on('line', (line) => told.push(line));

  await tells('Ctrl-C stops');
  const { forward, admin } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as Record<
    string,
    string
  >; // what dev wrote
  const token = readFileSync(join(home, 'admin.token'), 'utf8').trim();
  const issued = await fetch(`${admin}/authority/grants`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      sub: 'agent:test',
      authorization_details: [{ type: 'writ_http', locations: ['http://a.test'], actions: ['GET'] }],
    }),
  });
  const { token: grant } = (await issued.json()) as { token: string }; // what the authority answers
  const code = async (): Promise<unknown> => {
    const head = `GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nWrit-Grant: ${grant}\r\n\r\n`;
    const reply = await exchange(Number(new URL(forward ?? '').port), head);
    return (JSON.parse(reply.body) as { code: unknown }).code; // a denial's body
  };
  t.equal(
    await code(),
    'policy_unavailable',
    'what does not compile does not leave the default policy in force',
  );

  writeFileSync(join(folder, 'policy', 'all.rego'), DENY_ALL);
  await tells('is active, revision');
  t.equal(await code(), 'policy_denied');

  dev.kill('SIGHUP');
  await tells('"reloaded"');
  t.equal(await code(), 'policy_denied', 'a reload does not bring the default policy back');

  dev.kill('SIGTERM');
  t.strictSame(await once(dev, 'exit'), [0, null]);
});

t.test('a folder that cannot be watched is said to be one, and dev goes on', { skip: cannotUnwatch }, async (t) => {
  const folder = t.testdir({ policy: {} });
  const ports = ['--forward', '0', '--reverse', 'off', '--transparent', 'off', '--admin', 'off'];
  const args = ['dev', '--home', join(folder, 'home'), '--policy', join(folder, 'policy'), ...ports];
  const [program = '', ...before] = [...UNWATCHED, process.execPath, BIN];
  const env = { PATH: process.env['PATH'] };
  const dev = spawn(program, [...before, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => dev.kill('SIGKILL'));
  const [stderr, exited] = [text(dev.stderr), once(dev, 'exit')];
  const told: string[] = [];
  for await (const line of createInterface({ input: dev.stdout })) {
    told.push(line);
    if (line.includes('Ctrl-C stops')) dev.kill('SIGTERM');
  }
  t.equal(await stderr, '');
  t.strictSame(await exited, [0, null]);
  t.equal(told.filter((line) => line.includes('is not watched (ENOSPC')).length, 1, told.join('\n'));
}); // prettier-ignore
