import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import t from 'tap';
import type { TAP as Tap } from 'tap';
import { bundlesPart, tilesPart } from '../../src/console/tiles.ts';
import { node } from '../../src/crypto/node.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { formatNoteKey } from '../../src/lineage/note.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { findPosition } from '../../src/lineage/position.ts';
import { proofText } from '../../src/lineage/proof.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { proveFromFiles } from '../../src/lineage/prove.ts';
import { readVouched } from '../../src/lineage/replay.ts';
import type { Store } from '../../src/lineage/store.ts';
import { readTileFile } from '../../src/lineage/tiles/tile-files.ts';
import { exportTiles } from '../../src/lineage/tiles/export.ts';
import { ServedLog } from '../../src/lineage/tiles/served.ts';
import { TiledTree } from '../../src/lineage/tiles/proof.ts';
import { tilesFromFiles } from '../../src/lineage/tiles/source.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { pruneLog, segmentedLog } from '../lineage/pruned-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { callDraft, fill, makeScratchLog, openStore, scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';
import { buildGo, runTool, runToolBeside, unlessInstalled } from './tool.ts';
import type { ToolRun } from './tool.ts';

const noGo = unlessInstalled('go', 'version');
const noB2sum = unlessInstalled('b2sum', '--version');

t.test('b2sum computes the chain', { skip: noB2sum }, (t) => {
  const folder = scratchFolder(t);
  const log = makeScratchLog(join(folder, 'home'));
  const store = openStore(log);
  fill(store, 5, 2);
  store.close();
  const entries = [...readEntries(log.layout.segments)];
  const files = entries.map(({ seq, bytes }) => {
    const path = join(folder, `entry-${seq}`);
    writeFileSync(path, bytes);
    return path;
  });
  const sums = runTool('b2sum', files)
    .out.split('\n')
    .map((line) => line.slice(0, 128));
  for (const { seq, bytes } of entries.slice(1))
    t.equal(findPosition(bytes)?.prev, sums[seq - 1], `entry ${seq}`);
  t.end();
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Proofs of some entries and of an older size, of a log that is open. */
function documentOf(log: ScratchLog, store: Store, old: { checkpoint: string; size: number }): Document {
  const entries = [...readEntries(log.layout.segments)];
  const tree = new Tree(node, (address) => readTileFile(log.layout.directory, address));
  for (const { bytes } of entries) tree.push(leafHash(node, bytes));
  const chosen = [0, 1, Math.floor(entries.length / 2), entries.length - 1].filter(
    (seq) => seq < entries.length,
  );
  return {
    verifierKey: formatNoteKey(log.identity.logKey),
    checkpoint: store.head,
    inclusions: chosen.map((seq) => ({
      entry: base64(entries[seq]?.bytes ?? new Uint8Array(0)),
      proof: proofText(seq, (store.inclusion(seq) ?? []).map(base64), store.head),
    })),
    oldCheckpoint: old.checkpoint,
    consistency: tree.consistency(old.size).map(base64),
  };
}

type Document = Readonly<Record<string, unknown>>;

t.test('Go’s note and tlog packages verify what was written', { skip: noGo }, async (t) => {
  const folder = scratchFolder(t);
  const binary = buildGo(t, folder);
  if (binary === undefined) return;
  const check = (document: object): ToolRun => runTool(binary, [], { input: JSON.stringify(document) });

  await t.test('checkpoint, proofs, and the tree from a static export, at each size', async (t) => {
    for (const size of [1, 2, 255, 256, 257, 70_000]) {
      const log = makeScratchLog(join(folder, `home-${size}`));
      const store = openStore(log);
      const batch = size > 1000 ? 4000 : 64;
      fill(store, Math.max(0, Math.floor(size / 2) - 1), batch);
      const old = { checkpoint: store.head, size: store.size };
      fill(store, size - store.size, batch);
      const proofs = documentOf(log, store, old);
      store.close();
      const place = join(folder, `site-${size}`);
      await exportTiles({ layout: log.layout, head: readVouched(log.layout, log.identity.logKey), directory: place, entries: true });
      const document = { ...proofs, site: { place } };
      t.match(check(document), { ok: true, out: `${size} entries, ` }, `${size} entries`);
      if (size === 257) refuses(t, document, { check, place });
    }
  });

  await t.test('a pruned log: every leaf, proofs of what is gone, and that it only grew', async (t) => {
    const log = segmentedLog(join(folder, 'home-pruned'));
    const { layout, identity } = log;
    const texts = [...readEntries(layout.segments)].map(({ bytes }) => base64(bytes));
    const old = readVouched(layout, identity.logKey);
    const { until } = await pruneLog(log);
    const place = join(folder, 'site-pruned');
    const head = readVouched(layout, identity.logKey);
    await exportTiles({ layout, head, directory: place, entries: true });
    const inclusions = [0, 1, 300, until - 1, until, 800].map(async (seq) => {
      return { entry: texts[seq], proof: await proveFromFiles(layout, identity.logKey, seq) };
    });
    const consistency = await new TiledTree(node, head.size, tilesFromFiles(layout)).consistency(old.size);
    const document = {
      verifierKey: formatNoteKey(identity.logKey),
      checkpoint: head.note,
      inclusions: await Promise.all(inclusions),
      oldCheckpoint: old.note,
      consistency: consistency.map(base64),
      site: { place, until },
    };
    t.match(check(document), { ok: true, out: '802 entries' });
    t.match(check({ ...document, site: { place } }), { ok: false }, 'what is gone is gone');
  });

  await t.test('the tree and its entries from a log that is served', async (t) => {
    const home = join(folder, 'home-257');
    const lineage = await openLineage({ home, deadlineMs: 5000 });
    t.teardown(async () => lineage.close());
    const { layout, identity } = scratchLog(home);
    const served = new ServedLog({ lineage, layout, cosigned: () => undefined });
    const routes = new Hono().route('/', tilesPart(served)).route('/', bundlesPart(served));
    const place = await listen(t, routes);
    await lineage.append({ ...callDraft('/while/it/is/served'), receipt: false });
    const document = { verifierKey: formatNoteKey(identity.logKey), checkpoint: await lineage.checkpoint(), site: { place } };
    t.match(await runToolBeside(binary, JSON.stringify(document)), { ok: true, out: '258 entries' });
  });

  t.test('proofs of many sizes are the ones that Go makes', (t) => {
    const leaves = Array.from({ length: 300 }, (_, i) => leafHash(node, Buffer.from(`entry ${i}`)));
    const tree = new Tree(node, () => undefined);
    const [inclusions, consistency]: [object[], object[]] = [[], []];
    for (const [i, leaf] of leaves.entries()) {
      tree.push(leaf);
      const size = i + 1;
      for (let a = size % 7; a < size; a += 7) inclusions.push({ a, b: size, hashes: tree.inclusion(a).map(base64) });
      for (let a = 1 + (size % 7); a <= size; a += 7) consistency.push({ a, b: size, hashes: tree.consistency(a).map(base64) });
    }
    const log = new GrowingLog('log.example/1').grow(1);
    const base = { verifierKey: formatNoteKey(log.key), checkpoint: log.checkpoint() };
    const sweep = { leaves: leaves.map(base64), inclusions, consistency };
    t.match(check({ ...base, sweep }), { ok: true }, `${inclusions.length} and ${consistency.length} proofs`);
    const wrong = { ...sweep, consistency: [{ ...consistency[999], b: 1 }] };
    t.match(check({ ...base, sweep: wrong }), { ok: false });
    t.end();
  });
}); // prettier-ignore

/** The program can say no. */
function refuses(
  t: Pick<Tap, 'match'>,
  document: Document,
  { check, place }: { readonly check: (document: object) => ToolRun; readonly place: string },
): void {
  const text = JSON.stringify(document);
  const rows: [string, string][] = [
    ['another size', text.replace('\\n257\\n', '\\n258\\n')],
    ['another index', text.replace('index 1\\n', 'index 2\\n')],
    ['another entry', text.replace('"entry":"eyJ', '"entry":"fyJ')],
    ['another consistency proof', text.replace(/("consistency":\[")(.)/, (_, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A'))],
  ]; // prettier-ignore
  for (const [name, changed] of rows) t.match(check(JSON.parse(changed) as object), { ok: false }, name);
  for (const name of ['checkpoint', 'tile/0/000', 'tile/0/001.p/1', 'tile/1/000.p/1', 'tile/entries/000', 'tile/entries/001.p/1']) {
    const [path, bytes] = [join(place, name), readFileSync(join(place, name))];
    for (const at of [0, bytes.length - 2]) {
      writeFileSync(path, bytes.with(at, (bytes[at] ?? 0) ^ 1));
      t.match(check(document), { ok: false }, `${name}, byte ${at}`);
    }
    writeFileSync(path, bytes.subarray(0, -1));
    t.match(check(document), { ok: false }, `${name}, cut off`);
    writeFileSync(path, bytes);
  }
} // prettier-ignore

/** Listens on loopback until the test ends; gives the URL. */
async function listen(t: Pick<Tap, 'teardown'>, routes: Hono): Promise<string> {
  const server = createAdaptorServer({ fetch: routes.fetch });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`; // a TCP server has this address
}
