import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { verifyConsistencyProof } from '../../src/lineage/consistency.ts';
import { parseProof } from '../../src/lineage/proof.ts';
import { splitEntries } from '../../src/lineage/segment.ts';
import { resourcePath, tilesOf } from '../../src/lineage/tiles/path.ts';
import { formatTrust } from '../../src/receipt/trust-file.ts';
import { forkedLogs } from '../lineage/forked-logs.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(...args: readonly string[]): Ran {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: {} });
}

/** The same while this process answers it. */
async function writAsync(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [BIN, ...args], { env: {} });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await ended, stdout, stderr };
}

/** A log of these sizes, its checkpoint kept at each. */
function grownLog(home: string, sizes: readonly number[]): { log: ScratchLog; checkpoints: string[] } {
  const log = makeScratchLog(home);
  const checkpoints = sizes.map((size) => {
    const store = openStore(log);
    fill(store, size - store.size, 20);
    store.close();
    const kept = `${home}-${size}`;
    writeFileSync(kept, readFileSync(log.layout.checkpoint));
    return kept;
  });
  return { log, checkpoints };
}

function writeTrust(folder: string, { identity }: ScratchLog): string {
  const file = join(folder, 'trust.json');
  writeFileSync(file, formatTrust(identity.receiptKey, identity.logKey));
  return file;
}

t.test('an entry and a size are proven from the files', (t) => {
  const folder = scratchFolder(t);
  const { log, checkpoints } = grownLog(join(folder, 'home'), [41, 300]);
  const home = ['--home', log.home];
  const proof = JSON.parse(writ('lineage', 'prove', '7', '--json', ...home).stdout) as Record<string, unknown>;
  t.match(proof, { index: 7, size: 300, origin: log.identity.origin });
  t.equal(parseProof(String(proof['proof']))?.checkpoint, proof['checkpoint']);
  const file = join(folder, 'consistency');
  t.equal(writ('lineage', 'consistency', '41', ...home, '-o', file).status, 0);
  const keys = [log.identity.logKey];
  const old = verifyCheckpoint(node, readFileSync(checkpoints[0] ?? '', 'utf8'), keys);
  t.ok(old && verifyConsistencyProof(node, { old, text: readFileSync(file, 'utf8'), keys }));
  const between = writ('lineage', 'consistency', '7', '101', ...home);
  t.match(verifyCheckpoint(node, between.stdout.slice(between.stdout.indexOf('\n\n') + 2), keys), { size: 101 });
  t.match(writ('lineage', 'consistency', '7', '100', ...home), { status: 1, stderr: /name 81 or 101/ });
  t.match(writ('lineage', 'consistency', '7', '301', ...home), { status: 1, stderr: /shorter/ });
  t.match(writ('lineage', 'consistency', '301', ...home), { status: 2, stderr: /older size first/ });
  t.match(JSON.parse(writ('lineage', 'consistency', '1', '--json', ...home).stdout), { old: { size: 1 }, new: { size: 300 } });
  t.end();
}); // prettier-ignore

t.test('two views of one log are compared', (t) => {
  const folder = scratchFolder(t);
  const { log, checkpoints } = grownLog(join(folder, 'home'), [41, 300]);
  const trust = writeTrust(folder, log);
  const [older = '', newer = ''] = checkpoints;
  const compare = (...args: readonly string[]): Ran => writ('lineage', 'compare', ...args);
  const rows: [string, readonly string[], number, RegExp][] = [
    ['the same', [newer, log.home], 0, /^same {2}both are the tree of 300/],
    ['older and newer', [older, log.home], 0, /^extends {2}A → B: append-only from 41 to 300/],
    ['newer and older', [log.home, older], 0, /^extends {2}B → A: append-only from 41 to 300/],
    ['by a trust file', [older, log.home, '--trust', trust], 0, /key from +.*trust\.json/],
    ['two checkpoints alone', [older, newer, '--trust', trust], 3, /tiles of the larger one are needed/],
    ['whose key?', [older, newer], 2, /--trust/],
    ['one view', [older], 2, /name two views/],
    ['what is no checkpoint', [trust, log.home], 3, /no checkpoint that a trusted log key signed/],
    ['what is not there', [join(folder, 'none'), log.home], 3, /cannot be read/],
  ];
  for (const [name, args, status, said] of rows) {
    const ran = compare(...args);
    t.equal(ran.status, status, name);
    t.match(ran.stdout + ran.stderr, said, name);
  }
  t.match(JSON.parse(compare(older, log.home, '--json').stdout), { verdict: 'extends', a: 41, b: 300, proof: /^old 41\n/ });
  t.end();
}); // prettier-ignore

t.test('a fork is found, proven, and the proof checked by someone who has the key alone', (t) => {
  const folder = scratchFolder(t);
  const { a, b } = forkedLogs(folder, { common: 20, a: 30, b: 41 });
  const trust = writeTrust(folder, a);
  const proof = join(folder, 'fork.json');
  const found = writ('lineage', 'compare', a.home, b.home, '-o', proof);
  t.match(found, { status: 1, stdout: /^forked {2}one key signed two histories: 30 entries, and 41/ });
  const json = writ('lineage', 'compare', a.home, b.home, '--json');
  t.match(JSON.parse(json.stdout), { verdict: 'forked', proof: readFileSync(proof, 'utf8') });
  for (const { home } of [a, b]) rmSync(home, { recursive: true });
  const check = (...args: readonly string[]): Ran => writ('lineage', 'compare', '--check', ...args);
  t.match(check(proof, '--trust', trust), { status: 0, stdout: /^proven {2}the key of localhost\/writ/ });
  t.match(JSON.parse(check(proof, '--trust', trust, '--json').stdout), {
    proven: true,
    first: 30,
    second: 41,
  });
  t.match(check(trust, '--trust', trust), { status: 1, stdout: /not a proof of forking/ });
  t.match(check(proof), { status: 2, stderr: /needs --trust/ });
  t.match(check(`${proof}x`, '--trust', trust), { status: 3, stderr: /cannot be read/ });
  t.end();
});

t.test('a log is exported for any web server, and compared over HTTP', async (t) => {
  const folder = scratchFolder(t);
  const { log, checkpoints } = grownLog(join(folder, 'home'), [41, 600]);
  const site = join(folder, 'site');
  const home = ['--home', log.home];
  t.match(writ('lineage', 'export-tiles', site, ...home), { status: 0, stdout: /600 entries: 4 files written, 0 kept/ });
  for (const resource of tilesOf(600)) t.ok(existsSync(join(site, resourcePath(resource))), resourcePath(resource));
  t.notOk(existsSync(join(site, 'tile/entries')), 'no entries unless asked for');
  t.match(JSON.parse(writ('lineage', 'export-tiles', site, ...home, '--entries', '--json').stdout), { size: 600, written: 3, kept: 4 });
  t.equal(splitEntries(readFileSync(join(site, 'tile/entries/002.p/88')))?.length, 88);
  for (const [folder, says] of [['/proc/x', /\/proc\/x: .*\n +\/proc takes no files/], ['/dev/null/x', /\n +\/dev\/null is there, and is no folder/]] as const)
    t.match(writ('lineage', 'export-tiles', folder, ...home), { status: 3, stdout: '', stderr: says });
  t.match(writ('lineage', 'export-tiles', join(log.home, 'x'), ...home), { status: 2, stderr: /lies in the home/ });
  t.match(writ('lineage', 'compare', checkpoints[0] ?? '', site, '--trust', writeTrust(folder, log)), { status: 0, stdout: /^extends/ });

  const server = createServer((request, response) => {
    const file = join(site, request.url ?? '');
    if (!existsSync(file)) response.writeHead(404).end();
    else response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => new Promise((resolve) => server.close(resolve)));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  t.match(await writAsync('lineage', 'compare', checkpoints[0] ?? '', url, '--trust', join(folder, 'trust.json')), { status: 0, stdout: /^extends {2}A → B: append-only from 41 to 600/ });
  t.match(await writAsync('lineage', 'compare', url, log.home), { status: 0, stdout: /^same/ });
  t.match(await writAsync('lineage', 'compare', `${url}none`, log.home), { status: 3, stderr: /gives no checkpoint/ });
  t.match(await writAsync('lineage', 'compare', 'http://127.0.0.1:1', log.home), { status: 3, stderr: /cannot be asked/ });
}); // prettier-ignore
