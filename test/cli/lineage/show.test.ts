import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { callDraft, fill, makeScratchLog, NOW, openStore } from '../../lineage/scratch-log.ts';
import type { ScratchLog } from '../../lineage/scratch-log.ts';
import { segmentedLog } from '../../lineage/pruned-log.ts';
import { scratchFolder } from '../../lineage/scratch-folder.ts';
import { listSegments, segmentPath } from '../../../src/lineage/layout.ts';
import { batchesOf } from '../../../src/lineage/read.ts';
import { cannotUnwatch, UNWATCHED } from '../unwatched.ts';
import { draft } from '../../../src/lineage/statement.ts';

const BIN = fileURLToPath(new URL('../../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(...args: readonly string[]): Ran {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: {}, timeout: 60_000 });
}

/** The numbers of the entries that a command printed as JSON lines. */
function seqs({ stdout }: Ran): readonly number[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
}

const grant = (sub: string, ...chain: readonly string[]): object => ({
  chain: chain.map((jti) => ({ digest: '00', jti, key: 'k' })),
  expires: 1,
  iss: 'i',
  sub,
});

const TWO = '01890a5d-ac96-774b-bcce-b302099a8002';
const THREE = '01890a5d-ac96-774b-bcce-b302099a8003';

/** Entries 1 to 4 after the first: a permit of a, its outcome, a denial of b, an open permit of b under a delegated grant. */
function shownLog(home: string): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log);
  store.append([callDraft('/a', { grant: grant('agent:a', 'one') })]);
  store.append([
    draft('outcome', '00000000-0000-4000-8000-000000000001', {
      ended: 'complete',
      grpc_status: 5,
      permit: 1,
    }),
  ]);
  store.append([callDraft('/b', { grant: grant('agent:b', TWO), verdict: 'deny', code: 'policy_denied' })]);
  store.append([callDraft('/c', { grant: grant('agent:b\u001b[2J', TWO, THREE) })]);
  store.close();
  return log;
}

t.test('entries are found by flags', (t) => {
  const { home } = shownLog(scratchFolder(t));
  const day = new Date(NOW).toISOString();
  const rows: [string, readonly number[]][] = [
    ['', [0, 1, 2, 3, 4]],
    ['--verdict deny', [3]],
    ['--code policy_denied', [3]],
    ['--kind outcome', [2]],
    ['--agent agent:a', [1, 2]],
    ['--host 127.0.0.1', [1, 2, 3, 4]],
    [`--grant ${TWO}`, [3, 4]],
    [`--grant ${THREE.toUpperCase()}`, [4]],
    [`--since ${day}`, [0, 1, 2, 3, 4]],
    [`--until ${day}`, []],
    ['--since 2026-01-02T04:04:05.678+01:00 --limit 2', [3, 4]],
    ['--since 1s', []],
    ['--since 9999d', [0, 1, 2, 3, 4]],
    ['--from 1 --limit 2', [1, 2]],
  ];
  for (const [flags, wanted] of rows) {
    const ran = writ('lineage', 'show', '--json', '--home', home, ...flags.split(' ').filter(Boolean));
    t.equal(ran.status, 0, flags);
    t.strictSame(seqs(ran), wanted, flags);
  }
  for (const [flags, says] of [
    ['--since yesterday', /Write a time as/],
    ['--since 2026-01-02', /Write a time as/],
    ['--host 127.0.0.1:1', /Write a host/],
    ['3 --limit 2', /names one/],
    ['--limit 0', /must be 1 or more/],
    ['--limit -1', /not a whole number/],
    ['--grant two', /jti, a UUID/],
    [`--grant ${TWO}0`, /jti, a UUID/],
    ['--code no_such', /no such denial code/],
    ['--verdict maybe', /permit, deny/],
    ['--kind x', /Allowed choices/],
  ] as const)
    t.match(
      writ('lineage', 'show', '--home', home, ...flags.split(' ')),
      { status: 2, stderr: says, stdout: '' },
      flags,
    );
  t.end();
});

t.test('people see a table, what is open, and a grant’s tree; no agent can steer their terminal', (t) => {
  const { home } = shownLog(scratchFolder(t));
  const { stdout } = writ('lineage', 'show', '--grant', TWO, '--home', home);
  const tree = `${TWO}  0 permitted, 1 denied\n  ${THREE}  1 permitted, 0 denied\n\nentry `;
  t.equal(stdout.slice(0, tree.length), tree);
  t.match(
    stdout,
    /3 {2}2026-01-02T03:04:05\.678Z {2}deny policy_denied +GET http:\/\/127\.0\.0\.1:1\/b +agent:b\n/,
  );
  t.match(stdout, /4 {2}2026-.* permit, outcome unknown .* agent:b\\u\{1b\}\[2J\n/);
  t.notMatch(stdout, '\u001b');
  t.match(writ('lineage', 'show', '--agent', 'nobody', '--home', home).stdout, /no entry matches/);
  t.notMatch(writ('lineage', 'show', '--json', '--home', home).stdout, '\u001b');
  t.match(writ('lineage', 'show', '4', '--home', home).stdout, /outcome +outcome unknown/);
  t.notMatch(writ('lineage', 'show', '1', '--home', home).stdout, /outcome unknown|grpc/);
  t.match(writ('lineage', 'show', '2', '--home', home).stdout, /\ngrpc status +5\n/);
  t.end();
});

t.test('a catalogue that hides entries is no evidence, and is made anew on demand', (t) => {
  const { home, layout } = shownLog(scratchFolder(t));
  t.match(JSON.parse(writ('lineage', 'reindex', '--json', '--home', home).stdout), { entries: 5 });
  rmSync(layout.catalogue);
  writeFileSync(layout.catalogue, 'no database');
  t.match(writ('lineage', 'reindex', '--home', home), { status: 0, stdout: /^5 entries can be found/ });
  t.equal(writ('lineage', 'reindex', '--home', `${home}-none`).status, 3);
  t.end();
});

t.test('where the catalogue has no room on the disk, entries are found without one', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  fill(store, 1500, 100);
  store.close();
  const limited = 'ulimit -f 128; exec "$0" "$@"'; // 64 KiB a file, or twice that: what SQLite is told is what a full disk tells it
  const args = [BIN, 'lineage', 'show', '--json', '--limit', '3', '--home', log.home];
  const ran = spawnSync('sh', ['-c', limited, process.execPath, ...args], { encoding: 'utf8', env: {} });
  t.equal(ran.status, 0, ran.stderr);
  t.strictSame(seqs(ran), [1498, 1499, 1500]);
  t.end();
});

t.test('a log is followed while it is written, a filter being kept', async (t) => {
  const log = shownLog(scratchFolder(t));
  const args = [BIN, 'lineage', 'show', '--follow', '--json', '--agent', 'agent:a', '--home', log.home];
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<number> => {
    const { value } = (await lines.next()) as IteratorResult<string, undefined>;
    return (JSON.parse(value ?? '') as { seq: number }).seq;
  };
  t.equal(await next(), 1);
  t.equal(await next(), 2);
  const store = openStore(log);
  store.append([
    callDraft('/d', { grant: grant('agent:b', TWO) }),
    callDraft('/e', { grant: grant('agent:a', 'one') }),
  ]);
  t.equal(await next(), 6);
  store.append([callDraft('/f', { grant: grant('agent:a', 'one') })]);
  t.equal(await next(), 7);
  store.close();
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  t.strictSame(await exited, [0, null]);
});

t.test('with --from, a log is followed without a gap between what is there and what comes', async (t) => {
  const { home } = shownLog(scratchFolder(t));
  const args = [BIN, 'lineage', 'show', '--follow', '--json', '--from', '1', '--limit', '2', '--home', home];
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const found: unknown[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    found.push((JSON.parse(line) as { seq: number }).seq);
    if (found.length === 4) child.kill('SIGINT');
  }
  t.strictSame(found, [1, 2, 3, 4]);
});

t.test('a log is followed until the time that was named, and no longer', (t) => {
  const { home } = shownLog(scratchFolder(t));
  const until = new Date(NOW + 1).toISOString();
  for (const [flags, wanted] of [
    [
      ['--from', '1'],
      [1, 2, 3, 4],
    ],
    [['--limit', '1'], [4]],
  ] as const) {
    const ran = writ('lineage', 'show', '--follow', '--json', '--until', until, '--home', home, ...flags);
    t.equal(ran.status, 0, ran.stderr);
    t.strictSame(seqs(ran), wanted);
  }
  t.end();
});

t.test('a log is followed where the system has no watch left to give', { skip: cannotUnwatch }, (t) => {
  const { home } = shownLog(scratchFolder(t));
  const until = new Date(NOW + 1).toISOString();
  const [program = '', ...args] = [...UNWATCHED, process.execPath, BIN];
  const follow = ['lineage', 'show', '--follow', '--json', '--from', '1', '--until', until, '--home', home];
  const env = { PATH: process.env['PATH'] };
  const ran = spawnSync(program, [...args, ...follow], { encoding: 'utf8', env, timeout: 60_000 });
  t.match(ran, { status: 0, stderr: '' });
  t.strictSame(seqs(ran), [1, 2, 3, 4]);
  t.end();
});

t.test('a log file that is gone is never passed over, also by a catalogue that is made without it', (t) => {
  const { home, layout } = segmentedLog(scratchFolder(t), 400);
  const [, second] = listSegments(layout.segments);
  const { path = '', first = 0 } = second ?? {};
  t.equal(seqs(writ('lineage', 'show', '--json', '--limit', '1', '--home', home))[0], 400);
  rmSync(path);
  for (const args of [['show'], ['export'], ['reindex'], ['replay']]) {
    rmSync(layout.catalogue, { force: true });
    const ran = writ('lineage', ...args, '--home', home);
    t.match(ran, { status: 3, stderr: `damaged at entry ${first}: entries are missing` }, args.join());
  }
  const genesis = readFileSync(segmentPath(layout.segments, 0));
  const [batch] = batchesOf({ path: segmentPath(layout.segments, 0), first: 0 }, { until: 1 });
  writeFileSync(segmentPath(layout.segments, 0), genesis.subarray(0, batch?.length));
  const ran = writ('lineage', 'show', '--home', home);
  t.match(ran, { status: 3, stderr: 'no entry says that they were pruned' }, 'a hole like that of a pruning');
  t.end();
});
