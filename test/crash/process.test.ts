import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import type { Exit } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import type { TestHome } from '../e2e/home.ts';
import { missing, run } from '../e2e/program.ts';
import { checkLog } from './checker.ts';
import type { CheckedLog } from './checker.ts';
import { call, countingOrigin, Load } from './load.ts';
import type { Answer, CountingOrigin } from './load.ts';
import { violations } from './violations.ts';
import type { Witnessed } from './violations.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const FAULTS = new URL('faults.ts', import.meta.url);
const BEFORE = 60;
const AFTER = 60;
const PAUSE_MS = 2500;

t.setTimeout(600_000);

/** What happens to a sidecar in the middle of its work, and what must have become of it. */
interface Row {
  readonly name: string;
  readonly nodeArgs?: readonly string[];
  readonly callers?: number;
  readonly skip?: string | false;
  readonly hit: (sidecar: ChildSidecar) => unknown;
  /** It goes on and ends with 0 when it is told to; or it ends by itself with 3; or anyhow but with 0. */
  readonly end: 'goes on' | 'stops' | 'dies' | 'goes on or dies';
  /** Whether its last batch was written and never synced: then nobody may have heard of it. */
  readonly unsynced?: boolean;
  /** Whether its log must be closed well: no torn end, all of it vouched for, no permit open. */
  readonly closed?: boolean;
}

const provoke = (fault: string): Pick<Row, 'nodeArgs' | 'hit'> => ({
  nodeArgs: ['--import', `${FAULTS.href}?${fault}`],
  hit: (sidecar) => sidecar.signal('SIGUSR2'),
});

const outOfMemory = provoke('out-of-memory');

const rows: readonly Row[] = [
  { name: 'an exception that nobody caught', ...provoke('uncaught-exception'), end: 'stops', closed: true },
  { name: 'a rejection that nobody handled', ...provoke('unhandled-rejection'), end: 'stops', closed: true },
  { name: 'no memory left', ...outOfMemory, nodeArgs: ['--max-old-space-size=128', ...(outOfMemory.nodeArgs ?? [])], end: 'dies' },
  { name: 'an event loop that stalls past the log’s deadline', ...provoke('stall'), end: 'goes on', closed: true },
  { name: 'a writer thread that throws', ...provoke('writer-throws'), end: 'stops' },
  { name: 'a writer thread that ends', ...provoke('writer-exits'), end: 'stops' },
  { name: 'a disk that no longer syncs', ...provoke('sync-fails'), end: 'stops', unsynced: true },
  { name: 'a policy thread that throws', ...provoke('policy-throws'), end: 'goes on', closed: true },
  { name: 'a policy thread that ends', ...provoke('policy-exits'), end: 'goes on', closed: true },
  { name: 'SIGSTOP and SIGCONT past the log’s deadline', hit: pause, end: 'goes on', closed: true },
  { name: 'no descriptors left', callers: 200, skip: missing('prlimit'), hit: takeDescriptors, end: 'goes on or dies' },
]; // prettier-ignore

t.test('whatever happens to the process, it did nothing that is not on record', async (t) => {
  const origin = await countingOrigin(t);
  const settings = {
    lineage: { segment_bytes: 65_536, deadline_ms: 1000 },
    denial: { recorded_burst: 1_000_000 },
    stop: { grace_seconds: 5 },
  };
  const home = await makeHome(t, { origins: [origin], settings });
  const answers: Answer[] = [];
  for (const [i, row] of rows.entries())
    await t.test(row.name, { skip: row.skip ?? false }, async (t) => {
      const sidecar = await ChildSidecar.start(t, home, row);
      t.match(await sidecar.says('listening'), { ready: true });
      const { exit, load } = await strike({ row, sidecar, origin, name: `row-${i}` });
      answers.push(...load.answers);
      t.ok(isEnd(row.end, exit), JSON.stringify({ ...exit, answered: load.answers.length }));
      const log = checkLog(home.path, home.origin);
      t.strictSame(violations(log, { arrived: origin.paths, answers, earlier: [] }), []);
      if (row.unsynced) assertUnheard(t, log, { arrived: origin.paths, answers: load.answers });
      if (row.closed) assertClosed(t, log, `/row-${i}-`);
    });
  const again = await ChildSidecar.start(t, home);
  t.match(await again.says('listening'), { ready: true });
  t.match(await again.stop(), { code: 0 });
});

interface Struck {
  readonly exit: Exit;
  readonly load: Load;
}

/** Loads a sidecar, hits it, and sees it to its end. */
async function strike({
  row,
  sidecar,
  origin,
  name,
}: {
  readonly row: Row;
  readonly sidecar: ChildSidecar;
  readonly origin: CountingOrigin;
  readonly name: string;
}): Promise<Struck> {
  const { callers = 32 } = row;
  const load = new Load({ home: sidecar.home, origin, port: sidecar.port('forward'), callers, name });
  await load.answered(BEFORE);
  await row.hit(sidecar);
  if (row.end.startsWith('goes on')) {
    await load.answered(load.answers.length + AFTER);
    await load.stop();
    sidecar.signal('SIGTERM');
  }
  const exit = await sidecar.exited;
  await load.stop();
  return { exit, load };
}

function isEnd(end: Row['end'], { code, signal }: Exit): boolean {
  switch (end) {
    case 'goes on':
      return code === 0;
    case 'stops':
      return code === 3;
    case 'dies':
      return code !== 0 || signal !== null;
    case 'goes on or dies':
      return true;
  }
}

/** Nothing is acknowledged that a sync did not cover, nor anything after it (P8). */
function assertUnheard(t: Test, log: CheckedLog, heard: Pick<Witnessed, 'arrived' | 'answers'>): void {
  const first = [...log.roots.keys()].at(-2) ?? 0;
  const unsynced = log.entries.slice(first);
  t.ok(unsynced.length > 0, `${unsynced.length} entries of ${log.entries.length} were not synced`);
  const paths = unsynced.flatMap(({ is }) => (is.verdict === 'permit' ? [is.call?.path ?? ''] : []));
  t.strictSame(
    heard.arrived.filter((path) => paths.includes(path)),
    [],
    'no such request was sent',
  );
  t.strictSame(
    heard.answers.filter(({ entry }) => entry >= first),
    [],
    'no such entry was told of',
  );
}

function assertClosed(t: Test, log: CheckedLog, name: string): void {
  t.equal(log.torn, 0, 'no torn end');
  t.equal(log.vouched, log.entries.length, 'the checkpoint covers all of it');
  const closed = new Set(log.entries.flatMap(({ type, is }) => (type === 'outcome' ? [is.permit] : [])));
  const open = log.entries.filter(
    ({ seq, is }) => is.verdict === 'permit' && is.call?.path?.includes(name) && !closed.has(seq),
  );
  t.strictSame(open, [], 'every permit has its outcome');
}

async function pause(sidecar: ChildSidecar): Promise<void> {
  sidecar.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  sidecar.signal('SIGCONT');
}

function takeDescriptors({ pid }: ChildSidecar): void {
  execFileSync('prlimit', [`--pid=${pid}`, '--nofile=40:40']);
}

t.test('serve refuses to start, says why, and exits 3', async (t) => {
  const home = await makeHome(t);
  const { folder, path } = home;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const busy = `127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server that listens has one
  const keysOnly = join(folder, 'keys-only');
  cpSync(path, keysOnly, { recursive: true });
  rmSync(join(keysOnly, 'lineage'), { recursive: true });
  const emptyLog = join(folder, 'empty-log');
  cpSync(keysOnly, emptyLog, { recursive: true });
  mkdirSync(join(emptyLog, 'lineage'));
  mkdirSync(join(folder, 'empty'));
  const unwritable = join(folder, 'unwritable');
  cpSync(path, unwritable, { recursive: true });
  mkdirSync(join(unwritable, 'run.json.tmp'));

  const cases: [string, readonly string[], RegExp][] = [
    ['a home that is not there', ['--home', join(folder, 'nowhere')], /there is no home in .*nowhere/],
    ['a volume that is not mounted yet', ['--home', join(folder, 'empty')], /there is no home in .*empty/],
    ['a home without its log', ['--home', keysOnly], /There is a log key, but no log/],
    ['a log’s volume that is not mounted yet', ['--home', emptyLog], /There is a log key, but no log/],
    ['a home where it cannot say how to reach it', ['--home', unwritable], /run\.json.*: it is a folder/],
    ...(['forward', 'reverse', 'admin'] as const).map((name): [string, readonly string[], RegExp] => [
      `a busy ${name} port`,
      [`--${name}`, busy],
      new RegExp(`cannot listen on ${busy} \\(EADDRINUSE\\)(?:.|\\n)*--${name} `),
    ]),
  ];
  for (const [name, args, said] of cases) await assertRefused(t, { name, home, args, said });

  const sidecar = await ChildSidecar.start(t, home);
  await assertRefused(t, { name: 'a second one', home, args: [], said: /Another process writes this log/ });
  t.match(await sidecar.stop(), { code: 0 }, 'which the first does not mind');
});

async function assertRefused(
  t: Test,
  { name, home, args, said }: { name: string; home: TestHome; args: readonly string[]; said: RegExp },
): Promise<void> {
  const { exit, stderr } = await run(process.execPath, [
    BIN,
    'serve',
    '--config',
    home.settingsFile,
    ...args,
  ]);
  t.equal(exit, 3, name);
  t.match(stderr, said, name);
}

t.test('faulty settings leave the old ones in force, and are told', async (t) => {
  const origin = await countingOrigin(t);
  const home = await makeHome(t, { origins: [origin] });
  const sidecar = await ChildSidecar.start(t, home);
  const status = async (): Promise<number | undefined> =>
    (await call({ port: sidecar.port('forward'), url: `${origin.url}/call/reload`, token: home.grant() }))
      ?.status;
  t.equal(await status(), 200);
  home.configure({ policy: { deadline_ms: 'soon' }, upstream: { allow: [] }, routes: [] });
  t.match(await sidecar.reload(), {
    msg: /^reload failed/,
    faults: [/policy\.deadline_ms: must be a whole number/],
  });
  t.equal(await status(), 200, 'the address is still allowed');
  home.configure({ upstream: { allow: [] }, routes: [] });
  t.match(await sidecar.reload(), { msg: 'reloaded' });
  t.equal(await status(), 403, 'and no longer, once the settings are good');
  t.match(await sidecar.stop(), { code: 0 });
});
