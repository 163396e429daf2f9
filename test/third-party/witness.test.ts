import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { compareViews } from '../../src/lineage/witness/fork-compare.ts';
import type { LogView } from '../../src/lineage/witness/fork-compare.ts';
import { formatFork } from '../../src/lineage/witness/fork.ts';
import { formatNoteKey, noteKey } from '../../src/lineage/note.ts';
import { tilesFromFiles } from '../../src/lineage/tiles/source.ts';
import { createWitnessMemory, WitnessFile } from '../../src/lineage/witness/memory.ts';
import { Witness } from '../../src/lineage/witness/witness.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import { forkedLogs } from '../lineage/forked-logs.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';
import { buildGo, runTool, unlessInstalled } from './tool.ts';
import type { ToolRun } from './tool.ts';

const VECTORS = new URL('../vectors/witnessed/', import.meta.url);
const noGo = unlessInstalled('go', 'version');

/** Cosignatures of this many witnesses on a log of so many entries, and their keys. */
function cosigned(folder: string, log: GrowingLog, count: number): { note: string; keys: readonly string[] } {
  const keys: string[] = [];
  let note = log.checkpoint();
  for (let i = 0; i < count; i++) {
    const { key, sign } = loadSigner(newKey());
    const cosigner = { key: noteKey(node, { name: `witness.example/${i}`, type: 'witness', key }), sign };
    createWitnessMemory(join(folder, `memory-${i}`));
    const memory = new WitnessFile(join(folder, `memory-${i}`));
    const witness = new Witness({
      suite: node,
      cosigner,
      memory,
      logs: () => [log.key],
      clock: () => Date.now(),
    });
    note += witness.addCheckpoint(log.request(0)).body;
    keys.push(formatNoteKey(cosigner.key));
    memory.close();
  }
  return { note, keys };
}

function viewOf({ layout, identity }: ScratchLog): LogView {
  const note = readFileSync(layout.checkpoint, 'utf8');
  const head = verifyCheckpoint(node, note, [identity.logKey]);
  if (!head) throw new Error('the log has no good checkpoint');
  return { head, note, tiles: tilesFromFiles(layout) };
}

t.test('Go’s packages verify cosignatures and a proof of forking', { skip: noGo }, async (t) => {
  const folder = scratchFolder(t);
  const binary = buildGo(t, folder);
  if (binary === undefined) return;
  const check = (document: object): ToolRun => runTool(binary, [], { input: JSON.stringify(document) });
  const kept = (name: string): string => readFileSync(new URL(name, VECTORS), 'utf8');
  const trust = parseTrust(node, kept('trust.json'));
  if ('fault' in trust) throw new Error(trust.fault);
  const vector = {
    verifierKey: trust.logs.map(formatNoteKey)[0],
    checkpoint: kept('14.checkpoint'),
    witnesses: trust.witnesses.map(formatNoteKey),
    cosigned: kept('5.checkpoint'),
    inclusions: [{ entry: Buffer.from(kept('3.entry')).toString('base64'), proof: kept('3.tlog-proof') }],
    fork: JSON.parse(kept('fork.json')) as object,
  };
  t.match(check(vector), { ok: true, out: '14 entries, 1 inclusion proofs' }, 'the evidence that is kept');
  t.match(check({ ...vector, cosigned: kept('14.checkpoint') }), { ok: false }, 'a witness is missing there');

  const log = new GrowingLog('log.example/1').grow(7);
  const { note, keys } = cosigned(folder, log, 3);
  const base = { verifierKey: formatNoteKey(log.key), checkpoint: log.checkpoint() };
  t.match(check({ ...base, witnesses: keys, cosigned: note }), { ok: true });
  const { keys: others } = cosigned(scratchFolder(t), log, 3);
  t.match(check({ ...base, witnesses: others, cosigned: note }), { ok: false }, 'other witnesses');
  const changed = note.replace('\n7\n', '\n8\n');
  t.match(check({ ...base, witnesses: keys, cosigned: changed }), { ok: false }, 'another size');

  for (const [a, b] of [[30, 30], [30, 41], [300, 257]] as const) {
    const logs = forkedLogs(scratchFolder(t), { common: 20, a, b });
    const compared = await compareViews(node, viewOf(logs.a), viewOf(logs.b));
    if (compared.verdict !== 'forked') throw new Error(compared.verdict);
    const fork = JSON.parse(formatFork(compared.evidence)) as Record<string, unknown>;
    const given = { verifierKey: formatNoteKey(logs.a.identity.logKey), checkpoint: viewOf(logs.a).note, fork };
    t.match(check(given), { ok: true }, `${a} and ${b}`);
    t.match(check({ ...given, fork: { ...fork, second: fork['first'] } }), { ok: false }, 'the same twice');
    if (a === b) continue;
    const root = Buffer.alloc(32).toString('base64');
    t.match(check({ ...given, fork: { ...fork, root } }), { ok: false }, 'another root');
  }
}); // prettier-ignore
