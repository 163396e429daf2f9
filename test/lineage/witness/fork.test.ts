import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toBase64 } from '../../../src/crypto/base64.ts';
import { node } from '../../../src/crypto/node.ts';
import { noble } from '../../../src/crypto/noble.ts';
import { verifyCheckpoint } from '../../../src/lineage/checkpoint.ts';
import { compareViews } from '../../../src/lineage/witness/fork-compare.ts';
import type { LogView } from '../../../src/lineage/witness/fork-compare.ts';
import { formatFork, verifyFork } from '../../../src/lineage/witness/fork.ts';
import { TiledTree } from '../../../src/lineage/tiles/proof.ts';
import { tilesFromFiles } from '../../../src/lineage/tiles/source.ts';
import { forkedLogs } from '../forked-logs.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { fill, makeScratchLog, openStore } from '../scratch-log.ts';
import type { ScratchLog } from '../scratch-log.ts';

/** What a log shows once it is at rest; `bare` without its tiles. */
function viewOf({ layout, identity }: ScratchLog, bare = false): LogView {
  const note = readFileSync(layout.checkpoint, 'utf8');
  const head = verifyCheckpoint(node, note, [identity.logKey]);
  if (!head) throw new Error('the log has no good checkpoint');
  return bare ? { head, note } : { head, note, tiles: tilesFromFiles(layout) };
}

/** A log at two of its sizes. */
async function grown(folder: string, sizes: readonly [number, number]): Promise<[LogView, LogView]> {
  const log = makeScratchLog(join(folder, 'grown'));
  const views: LogView[] = [];
  for (const size of sizes) {
    const store = openStore(log);
    fill(store, size - store.size, 50);
    store.close();
    views.push(viewOf(log));
  }
  return [views[0] as LogView, views[1] as LogView]; // as: there are two sizes
}

t.test('a log extends its older self, and is the same as itself', async (t) => {
  const [older, newer] = await grown(scratchFolder(t), [300, 600]);
  t.match(await compareViews(node, older, newer), { verdict: 'extends', newer: 'b' });
  t.match(await compareViews(node, newer, older), { verdict: 'extends', newer: 'a' });
  t.strictSame(await compareViews(node, newer, newer), { verdict: 'same' });
});

const sizes: [string, { common: number; a: number; b: number }][] = [
  ['at one size', { common: 20, a: 30, b: 30 }],
  ['at two sizes', { common: 20, a: 30, b: 41 }],
  ['the first one longer', { common: 100, a: 300, b: 128 }],
  ['after a full tile', { common: 256, a: 257, b: 600 }],
];

t.test('two histories of one key are proven, and the proof is good for anybody', async (t) => {
  for (const [name, plan] of sizes) {
    const { a, b } = forkedLogs(scratchFolder(t), plan);
    const compared = await compareViews(node, viewOf(a), viewOf(b));
    if (compared.verdict !== 'forked') {
      t.fail(`${name}: ${compared.verdict}`);
      continue;
    }
    const text = formatFork(compared.evidence);
    for (const suite of [node, noble]) {
      const verified = verifyFork(suite, text, [a.identity.logKey]);
      t.match(verified, { fork: { first: { size: Math.min(plan.a, plan.b) } } }, name);
    }
  }
});

t.test('each byte of a proof of forking counts', async (t) => {
  const { a, b } = forkedLogs(scratchFolder(t), { common: 5, a: 7, b: 12 });
  const compared = await compareViews(node, viewOf(a), viewOf(b));
  const text = compared.verdict === 'forked' ? formatFork(compared.evidence) : '';
  const keys = [a.identity.logKey];
  t.ok('fork' in verifyFork(node, text, keys));
  let passed = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i) === 0x41 ? 'B' : 'A';
    if (/\s/.test(text.charAt(i)) || text.charAt(i) === '—') continue;
    if ('fork' in verifyFork(node, text.slice(0, i) + code + text.slice(i + 1), keys)) passed++;
  }
  t.equal(passed, 0, 'no changed proof passes');
});

t.test('what is no fork cannot be made to look like one', async (t) => {
  const folder = scratchFolder(t);
  const [older, newer] = await grown(folder, [300, 600]);
  const keys = [older.head.log];
  const other = viewOf(makeScratchLog(join(folder, 'other')), true);
  const tree = new TiledTree(node, 600, newer.tiles ?? (() => Promise.resolve(undefined)));
  const [root, hashes] = [await tree.root(300), await tree.consistency(300)];
  const made = (value: object): string => JSON.stringify({ type: 'urn:writ:fork:v1', ...value });
  const [first, second] = [older.note, newer.note];
  const consistency = hashes.map(toBase64);
  const lie = toBase64(new Uint8Array(32));
  const rows: [string, string, RegExp][] = [
    ['a log that grew', made({ first, second, root: toBase64(root), consistency }), /agree/],
    ['a made-up root', made({ first, second, root: lie, consistency }), /does not lead/],
    ['no proof', made({ first, second }), /missing/],
    ['no hashes', made({ first, second, root: lie, consistency: [] }), /does not lead/],
    ['one checkpoint twice', made({ first, second: first }), /agree/],
    ['a proof where none belongs', made({ first, second: first, root: lie, consistency: [] }), /no consistency proof/],
    ['the wrong order', made({ first: second, second: first, root: lie, consistency }), /larger/],
    ['another log', made({ first, second: other.note }), /trusted/],
    ['another type', made({ first, second }).replace(':v1', ':v2'), /not a proof of forking/],
    ['a member more', made({ first, second, more: 1 }), /not a proof of forking/],
    ['a root without hashes', made({ first, second, root: lie }), /not a proof of forking/],
    ['hashes without a root', made({ first, second, consistency }), /not a proof of forking/],
    ['a short hash', made({ first, second, root: 'AAAA', consistency }), /not a proof of forking/],
    ['not JSON', 'fork', /not a proof of forking/],
  ]; // prettier-ignore
  for (const [name, text, fault] of rows) t.match(verifyFork(node, text, keys), { fault }, name);
  const both = verifyFork(node, made({ first, second: other.note }), [...keys, other.head.log]);
  t.match(both, { fault: /different logs/ }, 'another log that is trusted too');
});

t.test('without tiles, or with wrong ones, nothing is claimed', async (t) => {
  const { a, b } = forkedLogs(scratchFolder(t), { common: 20, a: 30, b: 41 });
  const rows: [string, LogView][] = [
    ['bare', viewOf(b, true)],
    ['none given', { ...viewOf(b), tiles: () => Promise.resolve(undefined) }],
    ['of the other history', { ...viewOf(b), tiles: tilesFromFiles(a.layout) }],
    ['made up', { ...viewOf(b), tiles: (_, width) => Promise.resolve(Buffer.alloc(32 * width, 7)) }],
  ];
  for (const [name, view] of rows)
    t.match(await compareViews(node, viewOf(a), view), { verdict: 'unknown' }, name);
  const other = viewOf(makeScratchLog(join(scratchFolder(t), 'other')));
  t.match(await compareViews(node, other, viewOf(b)), { verdict: 'unknown', why: /two logs/ });
});
