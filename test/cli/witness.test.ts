import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { cosignatures } from '../../src/lineage/witness/cosignature.ts';
import { verifyFork } from '../../src/lineage/witness/fork.ts';
import { formatNoteKey, parseNoteKey } from '../../src/lineage/note.ts';
import type { NoteKey } from '../../src/lineage/note.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const NAME = 'log.example/1';

function writ(...args: readonly string[]) {
  return spawnSync(process.execPath, [BIN, 'witness', ...args], { encoding: 'utf8', env: {} });
}

interface Reply {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

function ask(port: number, path: string, body?: string | Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const asked = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
} // prettier-ignore

interface RunningWitness {
  readonly port: number;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

/** Starts `writ witness serve`; resolves once it listens. */
async function serve(t: { teardown(then: () => unknown): void }, folder: string): Promise<RunningWitness> {
  const args = [BIN, 'witness', 'serve', '--folder', folder, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(() => {
    child.kill('SIGKILL');
    return exited;
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return { port: Number(new URL(url).port), child, exited };
  }
  throw new Error('the witness ended');
}

/** A witness on disk that knows these logs. */
function makeWitness(t: Parameters<typeof scratchFolder>[0], ...logs: readonly GrowingLog[]): { folder: string; key: NoteKey } {
  const folder = join(scratchFolder(t), 'witness');
  const made = writ('init', '--folder', folder, '--name', 'witness.example/1');
  const key = parseNoteKey(node, made.stdout.trim());
  if (made.status !== 0 || !key) throw new Error(made.stderr);
  writeFileSync(join(folder, 'logs'), `${logs.map((log) => `log ${formatNoteKey(log.key)}\n`).join('')}quorum none\n`);
  return { folder, key };
} // prettier-ignore

t.test('a witness that was killed after its answer remembers it', async (t) => {
  const log = new GrowingLog(NAME).grow(3);
  const { folder, key } = makeWitness(t, log);
  let old = 0;
  for (const size of [3, 10, 300]) {
    const running = await serve(t, folder);
    const body = log.grow(size === 3 ? 0 : size - old).request(old);
    const reply = await ask(running.port, '/add-checkpoint', body);
    running.child.kill('SIGKILL');
    t.equal(reply.status, 200, `${old} to ${size}`);
    t.equal(cosignatures(node, log.checkpoint() + reply.text, [key])?.length, 1);
    await running.exited;
    old = size;
  }
  const { port, child, exited } = await serve(t, folder);
  t.strictSame(await ask(port, '/add-checkpoint', log.request(0)), { status: 409, type: 'text/x.tlog.size', text: '300\n' });
  const hash = Buffer.from(node.sha256(NAME)).toString('hex');
  const shown = await ask(port, `/${hash}/checkpoint`);
  t.match(shown, { status: 200, type: 'text/plain; charset=utf-8' });
  t.ok(shown.text.startsWith(log.checkpoint()), 'for monitors');
  child.kill('SIGTERM');
  t.equal(await exited, 0, 'and stops when it is told to');
}); // prettier-ignore

t.test('of many at once only one extends the log from a size', async (t) => {
  const log = new GrowingLog(NAME).grow(4);
  const { folder } = makeWitness(t, log);
  const { port } = await serve(t, folder);
  const histories = Array.from({ length: 20 }, (_, i) =>
    new GrowingLog(NAME, log.signer).grow(4).grow(3, `${i}`),
  );
  t.equal((await ask(port, '/add-checkpoint', log.request(0))).status, 200);
  const replies = await Promise.all(
    histories.map((history) => ask(port, '/add-checkpoint', history.request(4))),
  );
  t.equal(replies.filter(({ status }) => status === 200).length, 1);
  t.equal(replies.filter(({ status }) => status === 409).length, 19);
  const forks = readdirSync(join(folder, 'forks'));
  t.equal(forks.length, 19, 'and each of the others is a proof of forking');
  const proof = readFileSync(join(folder, 'forks', forks[0] ?? ''), 'utf8');
  t.match(verifyFork(node, proof, [log.key]), { fork: {} });
});

t.test('what is asked otherwise is refused', async (t) => {
  const log = new GrowingLog(NAME).grow(1);
  const { folder } = makeWitness(t, log);
  const { port, child } = await serve(t, folder);
  const rows: [string, string, string | Buffer | undefined, number][] = [
    ['another path', '/', undefined, 404],
    ['a query', '/add-checkpoint?x', '', 404],
    ['GET', '/add-checkpoint', undefined, 405],
    ['an empty body', '/add-checkpoint', '', 400],
    ['bytes that are no text', '/add-checkpoint', Buffer.alloc(100, 0xff), 400],
    ['a body as large as it may be', '/add-checkpoint', 'x'.repeat(140_000), 400],
    ['a giant body', '/add-checkpoint', 'x'.repeat(140_001), 413],
    ['a log that was never cosigned', `/${'0'.repeat(64)}/checkpoint`, undefined, 404],
    ['POST where one reads', `/${'0'.repeat(64)}/checkpoint`, '', 405],
    ['capitals', `/${'A'.repeat(64)}/checkpoint`, undefined, 404],
  ];
  for (const [name, path, body, status] of rows) t.equal((await ask(port, path, body)).status, status, name);
  const second = new GrowingLog('log.example/2').grow(1);
  t.equal((await ask(port, '/add-checkpoint', second.request(0))).status, 404, 'a log that is not known yet');
  writeFileSync(join(folder, 'logs'), `log ${formatNoteKey(second.key)}\nquorum none\n`);
  child.kill('SIGHUP');
  let status = 404;
  while (status === 404) ({ status } = await ask(port, '/add-checkpoint', second.request(0)));
  t.equal(status, 200, 'after SIGHUP it is');
});

t.test('a witness without memory, key or a good list does not start', (t) => {
  const { folder } = makeWitness(t);
  const start = (): string => {
    const { status, stderr } = writ('serve', '--folder', folder, '--listen', '127.0.0.1:0');
    return `${status} ${stderr}`;
  };
  writeFileSync(join(folder, 'logs'), 'log x\n');
  t.match(start(), /^3 .*logs: line 1/);
  rmSync(join(folder, 'memory.db'));
  t.match(start(), /^3 .*memory.*is missing/);
  t.match(writ('init', '--folder', folder, '--name', 'x y'), { status: 2, stderr: /cannot be named/ });
  t.match(writ('init', '--folder', folder, '--name', 'x.example'), { status: 3, stderr: /lost its memory/ });
  writeFileSync(join(folder, 'key.json'), '{}');
  t.match(start(), /^3 .*not a witness’s key/);
  t.match(writ('key', '--folder', join(folder, 'x')), { status: 3, stderr: /witness init/ });
  t.match(writ('serve', '--folder', folder, '--listen', 'x'), { status: 2 });
  t.end();
});
