/** What `npm start` and `npm run demo` show, and that `writ receipt verify` says the same of the files they leave. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../e2e/program.ts';

t.setTimeout(120_000);

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const QUESTIONS = ['authentic', 'untampered', 'anchored', 'append-only'];

type DemoProcess = ChildProcessByStdio<null, Readable, null>;

/** The answers in what was printed, without the space that aligns them. */
function answersIn(printed: string): readonly string[] {
  const lines = printed.split('\n').map((line) => line.trim().replace(/ +/g, ' '));
  return lines.filter((line) => QUESTIONS.some((question) => line.startsWith(`${question} `)));
}

/** `run` gives octets as latin1. */
const textOf = (octets: string): string => Buffer.from(octets, 'latin1').toString();

t.test('the demo tells its story and ends well', async (t) => {
  const { exit, stdout, stderr } = await run(process.execPath, [BIN, 'demo']);
  t.equal(exit, 0, stderr);
  const words = answersIn(textOf(stdout)).map((line) => line.split(' ', 2).join(' '));
  t.strictSame(words.slice(0, 4), ['authentic yes', 'untampered yes', 'anchored yes', 'append-only –']);
  t.strictSame(
    words.slice(4),
    ['authentic NO', 'untampered –', 'anchored –', 'append-only –'],
    'one byte changed',
  );
  t.match(stdout, 'That is all.');
});

t.test('the demo leaves nothing behind, however it ends', async (t) => {
  const ends: [string, (child: DemoProcess) => unknown, unknown][] = [
    ['its reader leaves', ({ stdout }) => stdout.destroy(), [0, null]],
    ['SIGTERM', (child) => child.kill('SIGTERM'), [143, null]],
  ];
  for (const [name, end, exit] of ends) {
    const folder = t.testdir({});
    const child = spawn(process.execPath, [BIN, 'demo'], {
      env: { PATH: process.env['PATH'], TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    t.equal(readdirSync(folder).length, 1);
    end(child);
    t.strictSame(await exited, exit, name);
    t.strictSame(readdirSync(folder), [], name);
  }
});

t.test('the tour shows of a denial what `writ receipt verify` says of it', async (t) => {
  const folder = t.testdir({});
  const ports = ['forward', 'reverse', 'transparent', 'admin'].flatMap((name) => [
    `--${name}`,
    '127.0.0.1:0',
  ]);
  const child = spawn(process.execPath, [BIN, 'dev', '--tour', ...ports], {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.includes('Ctrl-C stops')) child.kill('SIGINT');
  }
  t.strictSame(await exited, [0, null]);
  const home = join(folder, '.writ');
  const files = [join(home, 'denial.json'), '--trust', join(home, 'trust.json')];
  const { exit, stdout } = await run(process.execPath, [BIN, 'receipt', 'verify', ...files]);
  t.equal(exit, 0);
  const verified = answersIn(textOf(stdout));
  t.equal(verified.length, QUESTIONS.length);
  t.strictSame(answersIn(lines.join('\n')), verified);
  t.match(lines.join('\n'), /\ncurl -sS --noproxy '\*' http:\/\/127\.0\.0\.1:\d+\/readyz\n/);
});

t.test('a tour that cannot be played to its end stops what it started', async (t) => {
  const home = join(t.testdir({}), 'home');
  t.equal((await run(process.execPath, [BIN, 'init', '--home', home])).exit, 0);
  mkdirSync(join(home, 'denial.json'));
  const ports = ['forward', 'reverse', 'transparent', 'admin'].flatMap((name) => [
    `--${name}`,
    '127.0.0.1:0',
  ]);
  const { exit, stderr } = await run(process.execPath, [BIN, 'dev', '--tour', '--home', home, ...ports]);
  t.equal(exit, 3);
  t.match(stderr, /denial\.json: it is a folder/);
  t.notOk(existsSync(join(home, 'run.json')), 'nothing says that it runs');
});
