import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toHex } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { listSegments } from '../../src/lineage/layout.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { rootOfInclusion } from '../../src/lineage/proof.ts';
import { readEntry } from '../../src/lineage/read.ts';
import { readProven } from '../../src/lineage/read-proven.ts';
import { readVouched, replayTail } from '../../src/lineage/replay.ts';
import { resume, treeAt } from '../../src/lineage/resume.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { tilePath } from '../../src/lineage/tiles/tile.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, fill, makeScratchLog, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

/** A closed log of 2,001 entries in several segments. */
function longLog(home: string): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log, 200_000);
  fill(store, 2000, 50);
  store.close();
  return log;
}

const leafOf = (index: number): Uint8Array => leafHash(node, Buffer.from(String(index)));
const verdictOn = (log: ScratchLog): object => verifyLog({ layout: log.layout, logKey: log.identity.logKey });
const tileFile = ({ layout }: ScratchLog, index: number, level = 0): string =>
  join(layout.directory, tilePath({ level, index }));

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Whether a start reads the checkpoint's tail alone. */
const isQuick = ({ layout, identity }: ScratchLog): boolean =>
  replayTail({ layout, logKey: identity.logKey, everyHead: false, onTile: () => undefined }) !== undefined;

t.test('a tree goes on from its tiles as if it had been kept', (t) => {
  const size = 66_600;
  const tiles = new Map<string, Uint8Array>();
  const kept = new Tree(node, (address) => tiles.get(tilePath(address)));
  for (let i = 0; i < size; i++) {
    if (i % 256 === 0 && (i < 2000 || i > 65_000)) checkResumed(i);
    kept.push(leafOf(i));
    for (const tile of kept.takeFullTiles())
      tiles.set(tilePath(tile.address), Uint8Array.from(tile.hashes()));
  }
  t.end();

  function checkResumed(at: number): void {
    const resumed = new Tree(node, (address) => tiles.get(tilePath(address)));
    t.ok(resumed.resume(at));
    if (toHex(resumed.root()) !== toHex(kept.root())) t.fail(`root of ${at}`);
    for (let i = at; i < at + 300; i++) resumed.push(leafOf(i));
    const fresh = resumed.takeFullTiles().map(({ address }) => tilePath(address));
    t.ok(fresh.includes(`tile/0/${String(at / 256).padStart(3, '0')}`), 'its tiles become full again');
    for (const index of [0, Math.floor(at / 2), at, at + 299]) {
      const claim = {
        index,
        size: at + 300,
        leaf: leafOf(index),
        hashes: resumed.inclusion(index),
      };
      const root = rootOfInclusion(node, claim);
      if (!root || toHex(root) !== toHex(resumed.root())) t.fail(`leaf ${index} of ${at + 300}`);
    }
  }
});

t.test('a start resumes a log of any size', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  let store = openStore(log);
  for (let size = 1; size <= 520; size++) {
    store.close();
    const audit = resume(log.layout, readVouched(log.layout, log.identity.logKey));
    if (audit?.tree.size !== size) t.fail(`${size}: not resumed`);
    store = openStore(log);
    if (store.size !== size) t.fail(`${size}: the store has ${store.size}`);
    store.append([callDraft(`/${size}`)]);
  }
  store.close();
  t.match(verdictOn(log), { ok: true, size: 521, missingTiles: 0 });
  t.end();
});

t.test('a start reads the end of the log alone; what was changed before is found on reading', (t) => {
  const log = longLog(scratchFolder(t));
  const [first] = listSegments(log.layout.segments);
  const at = readFileSync(first?.path ?? '').indexOf('"path":"/100"');
  flip(first?.path ?? '', at + 9);
  t.ok(isQuick(log));
  openStore(log).close();
  t.match(verdictOn(log), { ok: false, code: 'log_damaged', index: 101 }, 'verify finds it');
  const tree = treeAt(log.layout, readVouched(log.layout, log.identity.logKey));
  t.throws(() => [...readProven(log.layout, tree, 0)], { code: 'log_damaged' }, 'reading finds it');
  t.end();
});

t.test('an entry that was changed along with its checksum is found on reading, at its number', (t) => {
  const log = longLog(scratchFolder(t));
  const tree = treeAt(log.layout, readVouched(log.layout, log.identity.logKey));
  const other = makeScratchLog(scratchFolder(t));
  const store = openStore(other);
  fill(store, 2000, 50);
  store.close();
  t.throws(() => [...readProven(other.layout, tree, 0)], { code: 'log_damaged', index: 0 });
  t.throws(() => [...readProven(other.layout, tree, 1234)], { code: 'log_damaged', index: 1234 });
  t.equal([...readProven(log.layout, tree, 1234)].length, 767);
  t.end();
});

t.test('a segment that is missing, short or empty still refuses the start', (t) => {
  const rows: [string, (paths: readonly string[]) => void][] = [
    ['the first one missing', (paths) => rmSync(paths[0] ?? '')],
    ['one in the middle missing', (paths) => rmSync(paths[2] ?? '')],
    ['one in the middle cut by a byte', (paths) => truncateSync(paths[2] ?? '', readFileSync(paths[2] ?? '').length - 1)],
    ['one in the middle cut to a batch', (paths) => truncateSync(paths[2] ?? '', readFileSync(paths[2] ?? '').indexOf(Buffer.of(0xff, 0x57, 0x42, 1), 1))],
    ['one in the middle empty', (paths) => truncateSync(paths[2] ?? '', 0)],
    ['the end of one overwritten', (paths) => flip(paths[2] ?? '', readFileSync(paths[2] ?? '').length - 2)],
    ['the last one missing', (paths) => rmSync(paths.at(-1) ?? '')],
  ]; // prettier-ignore
  for (const [name, change] of rows) {
    const log = longLog(scratchFolder(t));
    change(listSegments(log.layout.segments).map(({ path }) => path));
    t.throws(() => openStore(log), { code: /^log_(damaged|rolled_back)$/ }, name);
  }
  t.end();
});

t.test('tiles that are missing or wrong at the right edge are made again by the start', (t) => {
  const log = longLog(scratchFolder(t));
  for (const change of [rmSync, (path: string) => flip(path, 77), (path: string) => truncateSync(path, 5)]) {
    const path = tileFile(log, 3);
    const good = readFileSync(path);
    change(path);
    t.notOk(isQuick(log), 'then the whole log is read');
    openStore(log).close();
    t.strictSame(readFileSync(path), good);
    t.ok(isQuick(log));
  }
  rmSync(join(log.layout.directory, 'tile'), { recursive: true });
  openStore(log).close();
  t.ok(existsSync(tileFile(log, 6)));
  t.match(verdictOn(log), { ok: true, missingTiles: 0 });
  t.end();
});

t.test('a proof never stands on a wrong tile', (t) => {
  const log = longLog(scratchFolder(t));
  const vouched = readVouched(log.layout, log.identity.logKey);
  const tree = treeAt(log.layout, vouched);
  for (const change of [(path: string) => flip(path, 32 * 9), rmSync]) {
    change(tileFile(log, 1));
    const claim = { index: 300, size: vouched.size, leaf: leafHash(node, readEntry(log.layout.segments, 300) ?? Buffer.of()), hashes: tree.inclusion(300) }; // prettier-ignore
    const root = rootOfInclusion(node, claim);
    t.equal(root && toHex(root), toHex(vouched.root), 'the tile is made again from the entries');
  }
  const [first] = listSegments(log.layout.segments);
  flip(first?.path ?? '', readFileSync(first?.path ?? '').indexOf('"path":"/299"') + 9);
  t.throws(() => treeAt(log.layout, vouched), { code: 'log_damaged' }, 'unless they were changed as well');
  t.end();
});
