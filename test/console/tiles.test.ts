import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';
import { Hono } from 'hono';
import t from 'tap';
import type { Test } from 'tap';
import { bundlesPart, tilesPart } from '../../src/console/tiles.ts';
import { equalBytes } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { isExtension, parseConsistency } from '../../src/lineage/consistency.ts';
import { parseHead, verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { parseNote } from '../../src/lineage/note.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { parseProof, rootOfInclusion } from '../../src/lineage/proof.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { splitEntries } from '../../src/lineage/segment.ts';
import type { Cosigned } from '../../src/lineage/tiles/served.ts';
import { ServedLog } from '../../src/lineage/tiles/served.ts';
import { resourcePath, tilesOf } from '../../src/lineage/tiles/path.ts';
import { TiledTree } from '../../src/lineage/tiles/proof.ts';
import type { GiveTile } from '../../src/lineage/tiles/proof.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { callDraft, fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';

/** A log of 600 entries that is being written, and what the listener shows of it. */
async function servedLog(t: Test) {
  const log = makeScratchLog(join(scratchFolder(t), 'home'));
  const store = openStore(log);
  fill(store, 598, 64);
  store.close();
  const lineage = await openLineage({ home: log.home, deadlineMs: 5000 });
  t.teardown(async () => lineage.close());
  await lineage.append({ ...callDraft('/last'), receipt: false });
  let cosigned: Cosigned | undefined;
  const served = new ServedLog({ lineage, layout: log.layout, cosigned: () => cosigned });
  const part = new Hono().route('/', tilesPart(served));
  return { log, lineage, part, served, bundles: bundlesPart(served), show: (one: Cosigned) => (cosigned = one) };
} // prettier-ignore

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

t.test('checkpoint and tiles are what c2sp.org/tlog-tiles asks for', async (t) => {
  const { log, part } = await servedLog(t);
  const checkpoint = await part.request('/checkpoint');
  t.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.equal(checkpoint.headers.get('cache-control'), 'no-cache');
  const head = verifyCheckpoint(node, await checkpoint.text(), [log.identity.logKey]);
  t.equal(head?.size, 600);
  const give: GiveTile = async (address, width) => bytesOf(await part.request(`/${resourcePath({ kind: 'tile', address, width })}`)); // prettier-ignore
  const root = await new TiledTree(node, 600, give).root();
  t.ok(head && equalBytes(root, head.root), 'the tiles lead to the signed root');
  for (const resource of tilesOf(600)) {
    const reply = await part.request(`/${resourcePath(resource)}`);
    t.equal(reply.headers.get('content-type'), 'application/octet-stream');
    t.match(reply.headers.get('cache-control'), /^public, max-age=\d{8}, immutable$/);
    t.equal((await bytesOf(reply)).length, 32 * resource.width, resourcePath(resource));
  }
  t.equal((await part.request('/tile/0/000.p/77')).status, 200, 'a partial tile of a full one');
  for (const path of ['/tile/0/003', '/tile/0/002', '/tile/0/002.p/89', '/tile/1/000.p/3', '/tile/9/000.p/1', '/tile/0/0', '/tile/x'])
    t.match(await part.request(path), { status: 404 }, path); // prettier-ignore
});

t.test('proofs between any two sizes, and of any entry', async (t) => {
  const { log, part } = await servedLog(t);
  const ask = async (path: string): Promise<string> => (await part.request(path)).text();
  const entries = [...readEntries(log.layout.segments)];
  const proof = parseProof(await ask('/.well-known/writ/proof/599'));
  const head = parseHead(parseNote(proof?.checkpoint ?? '')?.text ?? '');
  const leaf = leafHash(node, entries[599]?.bytes ?? Buffer.of());
  const root = rootOfInclusion(node, { index: 599, size: 600, leaf, hashes: proof?.hashes ?? [] });
  t.ok(head && root && equalBytes(root, head.root));
  const tree = (size: number): TiledTree => new TiledTree(node, size, async (address, width) =>
    bytesOf(await part.request(`/${resourcePath({ kind: 'tile', address, width })}`))); // prettier-ignore
  for (const [oldSize, newSize] of [[1, 600], [256, 600], [300, 301], [600, 600], [0, 5]] as const) {
    const text = await ask(`/.well-known/writ/consistency/${oldSize}/${newSize}`);
    const hashes = text.split('\n').filter(Boolean).map((line) => Buffer.from(line, 'base64'));
    const old = { size: oldSize, root: await tree(oldSize).root() };
    const wanted = { size: newSize, root: await tree(newSize).root() };
    t.ok(isExtension(node, { old, head: wanted, hashes }), `${oldSize} to ${newSize}`);
  } // prettier-ignore
  const consistency = `old 300\n${await ask('/.well-known/writ/consistency/300/600')}\n`;
  t.equal(
    parseConsistency(consistency)?.oldSize,
    300,
    'with a line before and one after, as verifiers take it',
  );
  for (const path of [
    'consistency/2/1',
    'consistency/1/601',
    'consistency/01/2',
    'proof/600',
    'proof/06',
    'proof/-1',
  ])
    t.match(await part.request(`/.well-known/writ/${path}`), { status: 404 }, path);
});

t.test('entries are for the operator', async (t) => {
  const { log, part, bundles } = await servedLog(t);
  t.equal((await part.request('/tile/entries/000')).status, 404, 'not in the public part');
  const entries = [...readEntries(log.layout.segments)].map(({ bytes }) => String(bytes));
  for (const [path, from, to] of [['000', 0, 256], ['002.p/88', 512, 600], ['002.p/1', 512, 513]] as const) {
    const reply = await bundles.request(`/tile/entries/${path}`);
    t.match(reply.headers.get('cache-control'), /^private, /);
    t.strictSame((splitEntries(await bytesOf(reply)) ?? []).map(String), entries.slice(from, to), path);
  } // prettier-ignore
  const zipped = await bundles.request('/tile/entries/001', { headers: { 'accept-encoding': 'gzip' } });
  t.equal(zipped.headers.get('content-encoding'), 'gzip');
  t.equal(splitEntries(gunzipSync(await bytesOf(zipped)))?.length, 256);
  t.equal((await bundles.request('/tile/entries/002.p/89')).status, 404);
  t.equal((await bundles.request('/tile/entries/003')).status, 404);
});

t.test('a cosigned checkpoint is shown, and proofs are under it where it covers them', async (t) => {
  const { part, lineage, served, show } = await servedLog(t);
  const newest = await lineage.checkpoint();
  const cosigned = `${newest}— witness.example/w AAAAAAAA\n`;
  show({ note: cosigned, size: 600 });
  await lineage.append({ ...callDraft('/after'), receipt: false });
  t.equal(await (await part.request('/checkpoint')).text(), cosigned);
  t.not(await (await part.request('/.well-known/writ/checkpoint')).text(), cosigned, 'the newest, here');
  t.equal(parseProof((await served.proof(599)) ?? '')?.checkpoint, cosigned);
  t.equal(parseProof((await served.proof(600)) ?? '')?.checkpoint, await lineage.checkpoint());
});

t.test('what is asked at once is bounded', async (t) => {
  const held = Promise.withResolvers<string | undefined>();
  const waiting = { checkpoint: () => Promise.resolve(''), tile: () => Promise.resolve(undefined), proof: () => held.promise }; // prettier-ignore
  const layout = makeScratchLog(join(scratchFolder(t), 'home')).layout;
  const part = tilesPart(new ServedLog({ lineage: waiting, layout, cosigned: () => undefined }));
  const asked = Array.from({ length: 8 }, () => Promise.resolve(part.request('/.well-known/writ/proof/0')));
  const refused = await part.request('/.well-known/writ/proof/0');
  t.equal(refused.status, 503);
  t.equal(refused.headers.get('retry-after'), '1');
  held.resolve('proof');
  for (const reply of await Promise.all(asked)) t.equal(reply.status, 200);
  t.equal((await part.request('/.well-known/writ/proof/0')).status, 200, 'and then again');
});
