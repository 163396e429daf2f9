/** `writ lineage archive|prune`, with and without a sidecar, and every reader of a log that was pruned. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { layoutOf, listSegments } from '../../src/lineage/layout.ts';
import { lockRetention } from '../../src/lineage/lock.ts';
import { verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { parseProof } from '../../src/lineage/proof.ts';
import { resourcePath } from '../../src/lineage/tiles/path.ts';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import type { TestHome } from '../e2e/home.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { fill, openStore, scratchLog } from '../lineage/scratch-log.ts';

t.setTimeout(120_000);

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function writ(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [BIN, ...args], { env: {} });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await ended, stdout, stderr };
}

/** A home whose log has 800 old entries in segments of some 60. */
async function agedHome(t: Parameters<typeof makeHome>[0]): Promise<TestHome> {
  const home = await makeHome(t);
  const store = openStore(scratchLog(home.path), 60_000);
  fill(store, 800, 20);
  store.close();
  return home;
}

const seqsOf = (home: TestHome): readonly number[] => home.entries().map(({ seq }) => seq);

t.test('old segments are archived, then dropped, and every reader says so', async (t) => {
  const home = await agedHome(t);
  const layout = layoutOf(home.path);
  const at = ['--home', home.path];
  const unused = join(home.path, 'policy', '0'.repeat(64));
  mkdirSync(unused);
  mkdirSync(layout.inputs);
  for (const first of [1, 300, 790])
    writeFileSync(join(layout.inputs, `${String(first).padStart(16, '0')}.jsonl`), '');
  const archive = join(scratchFolder(t), 'archive');
  const prune = ['lineage', 'prune', '--before', '7d', ...at];

  t.match(await writ('lineage', 'prune', ...at), { status: 2, stderr: /--before/ });
  t.match(await writ('lineage', 'prune', '--before', '2025-01-01T00:00:00Z', ...at), {
    status: 1,
    stderr: /old enough/,
  });
  t.match(await writ(...prune, '--archived', archive), { status: 1, stderr: /Archive it first/ });
  t.match(await writ('lineage', 'archive', '--before', '7d', '--to', join(home.path, 'x'), ...at), {
    status: 2,
  });
  const archived = await writ('lineage', 'archive', '--before', '7d', '--to', archive, '--json', ...at);
  const { until, files } = JSON.parse(archived.stdout) as {
    until: number;
    files: { name: string; sha256: string }[];
  };
  t.strictSame(
    readdirSync(archive).sort(),
    ['SHA256SUMS', 'checkpoint', ...files.map(({ name }) => name)].sort(),
  );
  for (const { name } of files)
    t.ok(readFileSync(join(archive, name)).equals(readFileSync(join(layout.segments, name))), name);
  t.match(await writ(...prune, '--dry-run'), { status: 0, stdout: /would be pruned {2}entries 1 to / });
  t.equal(seqsOf(home).length, 801, 'nothing went yet');

  const pruned = await writ(...prune, '--archived', archive, '--json');
  t.match(
    JSON.parse(pruned.stdout),
    { until, entry: 801, inputs: 1, policies: ['0'.repeat(64)] },
    pruned.stderr,
  );
  t.notOk(existsSync(unused), 'a bundle that no entry names goes');
  t.ok(existsSync(join(home.path, 'policy', 'active', 'policy.wasm')), 'the active one stays');
  t.strictSame(seqsOf(home).slice(0, 2), [0, until]);
  const tiles = join(scratchFolder(t), 'tiles');
  const rows: [string, readonly string[], object][] = [
    ['verify', ['verify'], { status: 0, stdout: /pruned +entries 1 to \d+, as entry 801 says/ }],
    ['one that is gone', ['show', '5'], { status: 1, stderr: /entries 1 to \d+ were pruned/ }],
    ['reindex', ['reindex', '--json'], { status: 0, stdout: /"entries": ?802/ }],
    ['replay', ['replay'], { status: 0, stderr: /were pruned/ }],
    ['consistency', ['consistency', '41'], { status: 0 }],
    ['a checkpoint that is gone', ['consistency', '7', '41'], { status: 1, stderr: /were pruned/ }],
    ['export-tiles', ['export-tiles', tiles, '--entries'], { status: 0, stdout: /bundles are left out/ }],
    ['prune', ['prune', '--before', '7d'], { status: 1, stderr: /old enough/ }],
  ]; // prettier-ignore
  const ran = await Promise.all(rows.map(([, words]) => writ('lineage', ...words, ...at)));
  for (const [i, [name, , wanted]] of rows.entries()) t.match(ran[i], wanted, name);
  const [exported, proof] = await Promise.all([
    writ('lineage', 'export', ...at),
    writ('lineage', 'prove', '5', ...at),
  ]);
  t.equal(exported.stdout.split('\n').length - 1, 802 - until + 1);
  t.match(proof, { status: 0, stderr: /not here any more/ });
  const { logKey } = scratchLog(home.path).identity;
  t.ok(verifyCheckpoint(node, parseProof(proof.stdout)?.checkpoint ?? '', [logKey]));

  for (const { name } of files) cpSync(join(archive, name), join(layout.segments, name));
  const restored = await writ('lineage', 'verify', '--json', ...at);
  t.match(
    JSON.parse(restored.stdout),
    { ok: true, size: 802, pruned: undefined },
    'copied back, all is there again',
  );
  t.equal(seqsOf(home).length, 802);
});

t.test('a running sidecar records what is dropped, serves what stays, and starts again', async (t) => {
  const home = await agedHome(t);
  const sidecar = await ChildSidecar.start(t, home);
  const pruned = await writ('lineage', 'prune', '--before', '7d', '--json', '--home', home.path);
  t.equal(pruned.status, 0, pruned.stderr);
  const { until, entry } = JSON.parse(pruned.stdout) as { until: number; entry: number };
  t.match(home.entries(entry)[0]?.is, { cause: 'pruned', first: 1, until });
  t.ok(listSegments(layoutOf(home.path).segments).every(({ first }) => first === 0 || first >= until));
  const ask = async (path: string, init: RequestInit = {}): Promise<number> => {
    const headers = { authorization: `Bearer ${home.adminToken()}` };
    const response = await fetch(`http://127.0.0.1:${sidecar.port('admin')}${path}`, { headers, ...init });
    await response.body?.cancel();
    return response.status;
  };
  const bundle = (index: number): string =>
    `/${resourcePath({ kind: 'entries', address: { level: 0, index }, width: 256 })}`;
  t.equal(await ask('/tile/0/000'), 200);
  t.equal(await ask('/.well-known/writ/proof/5'), 200);
  t.equal(await ask(bundle(0)), 410);
  t.equal(await ask(bundle(1)), 410);
  t.equal(await ask(bundle(9)), 404);
  t.equal(await ask('/api/entries/5'), 410);
  t.equal(await ask('/api/receipt/5'), 410);
  t.equal(await ask('/api/entries/0'), 200);
  t.equal(await ask('/api/entries/99999'), 404);
  const post = (body: string): Promise<number> =>
    ask('/api/prune', {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${home.adminToken()}`, 'content-type': 'application/json' },
    });
  for (const body of ['', '{}', '{"until":1}', '{"until":"5"}', '{"until":99999}'])
    t.equal(await post(body), 400, body);
  t.equal(await ask('/api/prune', { method: 'POST', body: '{"until":9}', headers: {} }), 401);
  await sidecar.stop();
  const again = await ChildSidecar.start(t, home);
  await again.stop();
  t.match(await writ('lineage', 'verify', '--home', home.path), { status: 0, stdout: /as entry \d+ says/ });
});

t.test('whoever archives or prunes a log does it alone', async (t) => {
  const home = await agedHome(t);
  const layout = layoutOf(home.path);
  const archive = join(scratchFolder(t), 'archive');
  const common = ['--before', '7d', '--home', home.path];
  const archiving = (): Promise<Ran> => writ('lineage', 'archive', '--to', archive, ...common);
  const pruning = (...more: readonly string[]): Promise<Ran> => writ('lineage', 'prune', ...more, ...common);
  const lock = lockRetention(layout);
  for (const refused of await Promise.all([archiving(), pruning(), pruning('--dry-run')]))
    t.match(refused, { status: 3, stdout: '', stderr: /is at work on this log.*Let it end, then run this/ });
  lock.release();
  t.equal(seqsOf(home).length, 801, 'nothing was touched');
  t.notOk(existsSync(archive));
  const all = await Promise.all([archiving(), pruning(), archiving(), pruning()]);
  t.ok(all.some(({ status }) => status === 0));
  for (const { status, stderr } of all)
    if (status !== 0) t.match(`${status} ${stderr}`, /^3 .*is at work|^1 .*old enough/);
  await pruning();
  t.match(await writ('lineage', 'verify', '--home', home.path), { status: 0, stdout: /as entry 801 says/ });
});
