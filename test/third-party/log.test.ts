import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { TAP as Tap } from 'tap';
import { node } from '../../src/crypto/node.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { formatNoteKey } from '../../src/lineage/note.ts';
import { findPosition } from '../../src/lineage/position.ts';
import { proofText } from '../../src/lineage/proof.ts';
import { readEntries } from '../../src/lineage/read.ts';
import type { Store } from '../../src/lineage/store.ts';
import { readTileFile } from '../../src/lineage/tile-files.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { runTool, unlessInstalled } from './tool.ts';
import type { ToolRun } from './tool.ts';

const PROGRAM = fileURLToPath(new URL('go', import.meta.url));
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

/** Everything that the Go program checks, of a log that is open. */
function documentOf(
  log: ScratchLog,
  store: Store,
  old: { checkpoint: string; size: number },
): Record<string, unknown> {
  const entries = [...readEntries(log.layout.segments)];
  const tree = new Tree(node, (address) => readTileFile(log.layout.directory, address));
  for (const { bytes } of entries) tree.push(leafHash(node, bytes));
  const full = Math.floor(entries.length / 256);
  const chosen = [0, 1, Math.floor(entries.length / 2), entries.length - 1];
  return {
    verifierKey: formatNoteKey(log.identity.logKey),
    checkpoint: store.head,
    inclusions: chosen.map((seq) => ({
      entry: base64(entries[seq]?.bytes ?? new Uint8Array(0)),
      proof: proofText(seq, (store.inclusion(seq) ?? []).map(base64), store.head),
    })),
    oldCheckpoint: old.checkpoint,
    consistency: tree.consistency(old.size).map(base64),
    tiles: Array.from({ length: full }, (_, index) =>
      base64(readTileFile(log.layout.directory, { level: 0, index }) ?? new Uint8Array(0)),
    ),
    tail: entries.slice(full * 256).map(({ bytes }) => base64(leafHash(node, bytes))),
  };
}

t.test('Go’s note and tlog packages verify checkpoint, proofs and tiles', { skip: noGo }, (t) => {
  const folder = scratchFolder(t);
  const binary = join(folder, 'third-party');
  const built = runTool('go', ['build', '-o', binary, '.'], { cwd: PROGRAM });
  if (!built.ok) {
    t.pass('built', { skip: `the Go program cannot be built here: ${built.out}` });
    t.end();
    return;
  }
  const check = (document: object): ToolRun => runTool(binary, [], { input: JSON.stringify(document) });
  for (const size of [2, 255, 256, 257, 1500]) {
    const log = makeScratchLog(join(folder, `home-${size}`));
    const store = openStore(log);
    fill(store, Math.floor(size / 2) - 1, 64);
    const old = { checkpoint: store.head, size: store.size };
    fill(store, size - store.size, 64);
    const document = documentOf(log, store, old);
    t.match(check(document), { ok: true, out: `${size} entries, 4 inclusion proofs` }, `${size} entries`);
    if (size === 257) refuses(t, document, check);
    store.close();
  }
  t.end();
});

/** The program can say no. */
function refuses(
  t: Pick<Tap, 'match'>,
  document: Record<string, unknown>,
  check: (document: object) => ToolRun,
): void {
  const text = JSON.stringify(document);
  const rows: [string, string][] = [
    ['another size', text.replace('\\n257\\n', '\\n258\\n')],
    ['another index', text.replace('index 1\\n', 'index 2\\n')],
    ['another entry', text.replace('"entry":"eyJ', '"entry":"fyJ')],
    ['another consistency proof', text.replace(/("consistency":\[")(.)/, (_, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A'))],
    ['another tile', text.replace(/("tiles":\[")(.)/, (_, head: string, letter: string) => head + (letter === 'A' ? 'B' : 'A'))],
  ]; // prettier-ignore
  for (const [name, changed] of rows) t.match(check(JSON.parse(changed) as object), { ok: false }, name);
}
