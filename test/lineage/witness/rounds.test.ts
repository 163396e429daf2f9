import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { equalBytes } from '../../../src/crypto/bytes.ts';
import { loadSigner, newKey, node } from '../../../src/crypto/node.ts';
import { cosignatures } from '../../../src/lineage/witness/cosignature.ts';
import { noteKey } from '../../../src/lineage/note.ts';
import { TiledTree } from '../../../src/lineage/tiles/proof.ts';
import { askWitness } from '../../../src/lineage/witness/client.ts';
import type { Post, WitnessTarget } from '../../../src/lineage/witness/client.ts';
import { createWitnessMemory, WitnessFile } from '../../../src/lineage/witness/memory.ts';
import { recallLog } from '../../../src/lineage/witness/recall.ts';
import { WitnessRounds } from '../../../src/lineage/witness/rounds.ts';
import { Witness } from '../../../src/lineage/witness/witness.ts';
import type { Store } from '../../../src/lineage/store.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore, scratchLog } from '../scratch-log.ts';
import type { ScratchLog } from '../scratch-log.ts';

type Folder = Parameters<typeof scratchFolder>[0];

/** A witness of a log, asked without a socket; `down` lets nobody answer. */
class NearWitness {
  readonly target: WitnessTarget;
  readonly #witness: Witness;
  down = false;

  constructor(t: Folder, { log, name }: { readonly log: ScratchLog; readonly name: string }) {
    const path = join(scratchFolder(t), 'memory.db');
    createWitnessMemory(path);
    const memory = new WitnessFile(path);
    t.teardown(() => memory.close());
    const { key, sign } = loadSigner(newKey());
    const cosigner = { key: noteKey(node, { name, type: 'witness', key }), sign };
    const logs = [log.identity.logKey];
    this.target = { key: cosigner.key, url: `http://${name}` };
    this.#witness = new Witness({ suite: node, cosigner, memory, logs: () => logs, clock: () => NOW });
  }

  readonly post = (body: string): { status: number; text: string } | undefined => {
    if (this.down) return undefined;
    const { status, body: text } = this.#witness.addCheckpoint(body);
    return { status, text };
  };
}

function postTo(...witnesses: readonly NearWitness[]): Post {
  return (url, body) =>
    Promise.resolve(witnesses.find(({ target }) => url === `${target.url}/add-checkpoint`)?.post(body));
}

/** Rounds over a log that is open. */
function roundsOf(store: Store, log: ScratchLog, { witnesses, quorum }: { witnesses: readonly NearWitness[]; quorum: number }): WitnessRounds {
  return new WitnessRounds({
    logKey: log.identity.logKey,
    targets: witnesses.map(({ target }) => target),
    quorum,
    post: postTo(...witnesses),
    newest: () => Promise.resolve(store.head),
    consistency: (oldSize, newSize) =>
      new TiledTree(node, newSize, (address, width) => Promise.resolve(store.tile(address, width))).consistency(oldSize),
    clock: () => NOW,
  });
} // prettier-ignore

function open(t: Folder, entries: number): { log: ScratchLog; store: Store } {
  const log = makeScratchLog(join(scratchFolder(t), 'home'));
  const store = openStore(log);
  fill(store, entries - 1, 7);
  return { log, store };
}

t.test('a round gathers cosignatures, and a quorum of them makes a witnessed checkpoint', async (t) => {
  const { log, store } = open(t, 20);
  const witnesses = ['a.example', 'b.example', 'c.example'].map((name) => new NearWitness(t, { log, name }));
  const [a, b, c] = witnesses;
  if (!a || !b || !c) throw new Error('no witnesses');
  const rounds = roundsOf(store, log, { witnesses, quorum: 2 });
  const keys = witnesses.map(({ target }) => target.key);
  const signed = (): number => cosignatures(node, rounds.cosigned?.note ?? '', keys)?.length ?? -1;
  t.equal(rounds.cosigned, undefined);
  t.match(await rounds.round(), { quorum: true });
  t.equal(signed(), 3);
  c.down = true;
  fill(store, 300, 50);
  t.match(await rounds.round(), { quorum: true });
  t.equal(rounds.cosigned?.size, 320);
  t.equal(signed(), 2);
  b.down = true;
  fill(store, 5);
  t.match(await rounds.round(), { quorum: false });
  t.equal(rounds.cosigned?.size, 320, 'the last one with a quorum stays');
  t.strictSame(rounds.standings.map(({ said }) => said), ['cosigned', 'unreachable', 'unreachable']);
  b.down = c.down = false;
  t.match(await rounds.round(), { quorum: true }, 'each is asked from where it was');
  t.equal(rounds.cosigned?.size, 325);

  const next = roundsOf(store, log, { witnesses, quorum: 2 });
  next.resume(rounds.cosigned?.note ?? '');
  t.equal(next.cosigned?.size, 325, 'what an earlier process left is taken up');
  const stranger = roundsOf(store, log, { witnesses: [new NearWitness(t, { log, name: 'd.example' })], quorum: 1 });
  stranger.resume(rounds.cosigned?.note ?? '');
  t.equal(stranger.cosigned, undefined, 'but not of other witnesses');
  t.match(await next.round(), { quorum: true }, 'from nothing known');
  store.close();
}); // prettier-ignore

t.test('what a witness answers is not believed without its signature', async (t) => {
  const { log, store } = open(t, 20);
  const good = new NearWitness(t, { log, name: 'a.example' });
  const other = new NearWitness(t, { log, name: 'b.example' });
  const submission = {
    note: store.head,
    size: store.size,
    consistency: (old: number) => Promise.resolve(old === 0 ? [] : [new Uint8Array(32)]),
  };
  const line = other.post(`old 0\n\n${store.head}`)?.text ?? '';
  const rows: [string, { status: number; text: string } | undefined, object][] = [
    ['nobody', undefined, { kind: 'unreachable' }],
    ['another’s line', { status: 200, text: line }, { kind: 'refused', why: /no good cosignature/ }],
    ['nothing', { status: 200, text: '' }, { kind: 'refused' }],
    ['unknown log', { status: 404, text: 'this log is not known here\n' }, { kind: 'refused', why: /^404 this log/ }],
    ['a fault', { status: 500, text: '' }, { kind: 'refused', why: '500' }],
    ['a size it is not', { status: 409, text: 'x\n' }, { kind: 'refused' }],
    ['a size in another spelling', { status: 409, text: '020\n' }, { kind: 'refused' }],
    ['a larger size', { status: 409, text: '21\n' }, { kind: 'ahead', size: 21 }],
    ['the same size', { status: 409, text: '0\n' }, { kind: 'contradicted' }],
    ['no extension', { status: 422, text: '' }, { kind: 'contradicted' }],
  ];
  for (const [name, reply, wanted] of rows) {
    const asked = askWitness(() => Promise.resolve(reply), good.target, { submission, remembered: 0 });
    t.match(await asked, wanted, name);
  }
  let size = 1;
  const moving: Post = () => Promise.resolve({ status: 409, text: `${size++}\n` });
  t.match(await askWitness(moving, good.target, { submission, remembered: 0 }), { kind: 'refused', why: /another size/ });
  t.equal(size, 4, 'asked three times');
  store.close();
}); // prettier-ignore

t.test('a log is opened only where it is what its witnesses remember', async (t) => {
  const { log, store } = open(t, 20);
  const witness = new NearWitness(t, { log, name: 'a.example' });
  const recall = { layout: log.layout, targets: [witness.target], post: postTo(witness) };
  store.close();
  await recallLog(recall);
  t.pass('never seen');
  const backup = `${log.home}-backup`;
  cpSync(log.home, backup, { recursive: true });
  const writing = openStore(log);
  fill(writing, 30);
  await roundsOf(writing, log, { witnesses: [witness], quorum: 1 }).round();
  await recallLog(recall);
  t.pass('killed before the checkpoint file was brought up to date');
  writing.close();
  await recallLog(recall);

  const copy = scratchLog(backup);
  const restored = { ...recall, layout: copy.layout };
  await t.rejects(recallLog(restored), { code: 'log_rolled_back', message: /has cosigned 50 entries.*only 20.*older copy[^]*new key/ });
  const other = openStore(copy);
  other.append(Array.from({ length: 40 }, (_, i) => callDraft(`/other/${i}`)));
  t.match(await roundsOf(other, copy, { witnesses: [witness], quorum: 1 }).round(), { quorum: false, disagreement: { kind: 'contradicted', remembered: 50, size: 60 } });
  other.close();
  await t.rejects(recallLog(restored), { code: 'log_rolled_back', message: /does not extend the 50 entries/ });
  witness.down = true;
  await recallLog(restored);
  t.pass('nobody can say');
  rmSync(backup, { recursive: true });
  t.ok(equalBytes(log.identity.logKey.id, copy.identity.logKey.id));
}); // prettier-ignore
