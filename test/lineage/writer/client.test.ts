import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { node } from '../../../src/crypto/node.ts';
import { parseStrictJson } from '../../../src/crypto/json.ts';
import { LogFault } from '../../../src/lineage/fault.ts';
import { segmentPath } from '../../../src/lineage/layout.ts';
import { LineageUnavailable } from '../../../src/lineage/lineage.ts';
import type { EntryRequest, Lineage } from '../../../src/lineage/lineage.ts';
import { openLineage } from '../../../src/lineage/open.ts';
import { leafHash } from '../../../src/lineage/merkle.ts';
import { parseProof, rootOfInclusion } from '../../../src/lineage/proof.ts';
import { batchesOf, readEntries, readEntry } from '../../../src/lineage/read.ts';
import { verifyCheckpoint } from '../../../src/lineage/checkpoint.ts';
import { entryTexts, refusalText } from '../../../src/lineage/statement.ts';
import { WriterClient } from '../../../src/lineage/writer/client.ts';
import { openEnvelope } from '../../../src/receipt/dsse.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { callDraft, makeScratchLog } from '../scratch-log.ts';

const ID = '00000000-0000-4000-8000-000000000000';
/** Entry 0 is of a year long gone: by their age, all its segments would be over. */
const segmentSeconds = Infinity;
const open = (home: string): Promise<Lineage> => openLineage({ home, deadlineMs: 5000, segmentSeconds });

t.test('appends of one turn share a batch and keep their order', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  t.equal(lineage.origin, log.identity.origin);
  const paths = Array.from({ length: 12 }, (_, i) => `/${i}`);
  const recorded = await Promise.all(
    paths.map((path) => lineage.append({ ...callDraft(path), receipt: false })),
  );
  t.strictSame(
    recorded.map(({ seq }) => seq),
    paths.map((_, i) => i + 1),
  );
  const both = await lineage.appendAll([
    { ...callDraft('/a'), receipt: false },
    { ...callDraft('/b'), receipt: true },
  ]);
  t.match(both, [{ seq: 13 }, { seq: 14, evidence: {} }]);
  t.notOk(both[0]?.evidence);
  await lineage.close();
  const batches = [...batchesOf({ path: segmentPath(log.layout.segments, 0), first: 0 }, { until: 1e9 })];
  t.strictSame(
    batches.map(({ entries }) => entries.length),
    [1, 12, 2],
  );
  for (const [i, path] of paths.entries())
    t.match(Buffer.from(readEntry(log.layout.segments, i + 1) ?? []).toString(), `"path":"${path}"`);
});

t.test(
  'more appends than one message holds keep their order, and what belongs together stays in one batch',
  async (t) => {
    const log = makeScratchLog(scratchFolder(t));
    const lineage = await open(log.home);
    const drafts = (count: number, name: string): EntryRequest[] =>
      Array.from({ length: count }, (_, i) => ({ ...callDraft(`/${name}/${i}`), receipt: i % 7 === 0 }));
    const [single, together] = [drafts(50, 'single'), drafts(20, 'together')];
    const singles = single.map((draft) => lineage.append(draft));
    const recorded = [...(await Promise.all(singles)), ...(await lineage.appendAll(together))];
    t.strictSame(
      recorded.map(({ seq, evidence }) => ({ seq, proven: evidence !== undefined })),
      [...single, ...together].map(({ receipt }, i) => ({ seq: i + 1, proven: receipt })),
    );
    await lineage.close();
    for (const [i, { evidence }] of recorded.entries())
      if (evidence) t.equal(parseProof(evidence.proof)?.index, i + 1);
    const batches = [...batchesOf({ path: segmentPath(log.layout.segments, 0), first: 0 }, { until: 1e9 })];
    t.equal(batches.at(-1)?.entries.length, 20);
  },
);

t.test('what closes a permit waits for company, and goes alone where none comes', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const closing = lineage.append({ ...callDraft('/outcome'), receipt: false, patient: true });
  await new Promise((resolve) => setImmediate(resolve)); // a later turn of the event loop
  const next = lineage.append({ ...callDraft('/next'), receipt: false });
  t.match(await Promise.all([closing, next]), [{ seq: 1 }, { seq: 2 }]);
  t.match(await lineage.append({ ...callDraft('/alone'), receipt: false, patient: true }), { seq: 3 });
  const last = lineage.append({ ...callDraft('/last'), receipt: false, patient: true });
  await lineage.close();
  t.match(await last, { seq: 4 }, 'closing waits for nobody’s company');
  const batches = [...batchesOf({ path: segmentPath(log.layout.segments, 0), first: 0 }, { until: 1e9 })];
  t.strictSame(
    batches.map(({ entries }) => entries.length),
    [1, 2, 1, 1],
  );
});

t.test('evidence proves its entry under the checkpoint in it', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const { seq, evidence } = await lineage.append({ ...callDraft('/x'), receipt: true });
  const payload = openEnvelope(parseStrictJson(evidence?.receipt ?? ''))?.payload ?? new Uint8Array(0);
  t.strictSame(Buffer.from(payload), Buffer.from(readEntry(log.layout.segments, seq) ?? []));
  const proof = parseProof(evidence?.proof ?? '');
  const head = verifyCheckpoint(node, proof?.checkpoint ?? '', [log.identity.logKey]);
  const claim = {
    index: seq,
    size: head?.size ?? 0,
    leaf: leafHash(node, payload),
    hashes: proof?.hashes ?? [],
  };
  t.strictSame(Buffer.from(rootOfInclusion(node, claim) ?? []), Buffer.from(head?.root ?? []));
  t.equal(await lineage.receipt(seq), evidence?.receipt, 'the same receipt on demand');
  t.equal(await lineage.checkpoint(), proof?.checkpoint);
  t.equal(await lineage.proof(seq), evidence?.proof);
  for (const none of [99, -1, 0.5]) {
    t.equal(await lineage.proof(none), undefined);
    t.equal(await lineage.receipt(none), undefined);
  }
  await lineage.close();
});

t.test('a refusal is signed and never logged; nothing else is signed that way', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const receipt = await lineage.refuse(refusalText(ID, { verdict: 'deny', why: 'aggregated' }));
  t.match(
    Buffer.from(openEnvelope(parseStrictJson(receipt))?.payload ?? []).toString(),
    '"why":"aggregated"',
  );
  const position = { at: new Date().toISOString(), origin: lineage.origin, prev: '', seq: 1 };
  const forged = entryTexts(callDraft('/forged'), position).join('');
  await t.rejects(lineage.refuse(forged), LineageUnavailable);
  t.equal([...readEntries(log.layout.segments)].length, 1);
  await lineage.close();
});

t.test('an entry that is too large is rejected alone', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const large = { ...callDraft('/'.repeat(65_000)), receipt: false };
  const small = { ...callDraft('/small'), receipt: false };
  const umlauts = { ...callDraft('ü'.repeat(32_500)), receipt: false };
  const [first, second, third] = await Promise.allSettled([
    lineage.append(large),
    lineage.append(small),
    lineage.append(umlauts),
  ]);
  t.match([first?.status, second?.status, third?.status], ['rejected', 'fulfilled', 'rejected']);
  await t.rejects(lineage.appendAll([small, large]), LineageUnavailable);
  t.match(await lineage.append(small), { seq: 2 }, 'nothing of that pair was recorded');
  await lineage.close();
});

t.test('a log has one writer', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  await t.rejects(open(log.home), { code: 'log_locked' }, 'not twice in this process');
  const child = fileURLToPath(new URL('../appending-process.ts', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [child, log.home, 'x'], { encoding: 'utf8' });
  t.not(status, 0, 'not in another process');
  t.match(stderr, /Another process writes this log/);
  await lineage.close();
  const next = await open(log.home);
  t.match(await next.append({ ...callDraft('/next'), receipt: false }), { seq: 1 });
  await next.close();
});

t.test('a log that is not good is not opened, and says what to do', async (t) => {
  await t.rejects(open(scratchFolder(t)), { code: 'log_missing', message: /writ init/ });
  const log = makeScratchLog(scratchFolder(t));
  await t.rejects(openLineage({ home: log.home, deadlineMs: 1, name: 'prod/writ' }), {
    code: 'log_name_mismatch',
  });
  rmSync(log.layout.logKey);
  await t.rejects(open(log.home), LogFault);
});

t.test('a log that fails rejects what waits, says so once, and still signs refusals', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const failures: string[] = [];
  lineage.onFailure((cause) => failures.push(cause.message));
  rmSync(segmentPath(log.layout.segments, 0));
  const appends = [1, 2, 3].map((i) => lineage.append({ ...callDraft(`/${i}`), receipt: true }));
  for (const append of appends) await t.rejects(append, LineageUnavailable);
  await t.rejects(lineage.append({ ...callDraft('/after'), receipt: false }), LineageUnavailable);
  t.equal(failures.length, 1);
  t.match(await lineage.health(), { state: 'failed', waiting: 0 });
  t.ok(await lineage.refuse(refusalText(ID, { why: 'log_unavailable' })));
  lineage.onFailure((cause) => failures.push(cause.message));
  t.equal(failures.length, 2, 'who asks later hears it at once');
  await lineage.close();
});

t.test('a closed log takes nothing', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const last = lineage.append({ ...callDraft('/last'), receipt: false });
  const closed = lineage.close();
  t.match(await last, { seq: 1 }, 'what waited is written');
  await closed;
  await t.rejects(lineage.append({ ...callDraft('/x'), receipt: false }), LineageUnavailable);
  await t.rejects(lineage.refuse(refusalText(ID, {})), LineageUnavailable);
  t.match(await lineage.health(), { state: 'closed', size: 2 });
  await lineage.close();
});

/** A client over a writer that blocks until its gate is opened. */
function heldClient(home: string, deadlineMs: number): { client: WriterClient; open: (how: 1 | 2) => void } {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('../held-writer.ts', import.meta.url), { workerData: { gate } });
  const ready = { ready: true, origin: 'held', head: 'head', size: 1, room: 'ample' } as const;
  const client = new WriterClient({ worker, ready, directory: home, deadlineMs });
  const open = (how: 1 | 2): void => {
    Atomics.store(gate, 0, how);
    Atomics.notify(gate, 0);
  };
  return { client, open };
}

t.test('an append that waits too long is rejected, and heard of when it was recorded later', async (t) => {
  const { client, open } = heldClient(scratchFolder(t), 50);
  const late = new Promise<number>((resolve) => {
    void t.rejects(
      client.append({ ...callDraft('/slow'), receipt: false, late: resolve }),
      LineageUnavailable,
    );
  });
  await t.rejects(client.refuse('x'), LineageUnavailable, 'a refusal that cannot be signed in time neither');
  t.match(await client.health(), { state: 'stalled', waiting: 0 });
  await t.rejects(
    client.append({ ...callDraft('/more'), receipt: false }),
    LineageUnavailable,
    'nothing is taken meanwhile',
  );
  open(1);
  t.equal(await late, 1);
  t.match(await client.health(), { state: 'writing' });
  t.match(await client.append({ ...callDraft('/again'), receipt: false }), { seq: 2 });
  await client.close();
});

t.test('what closes a permit is taken and waited for however slow the log is', async (t) => {
  const { client, open } = heldClient(scratchFolder(t), 50);
  const patient = { receipt: false, patient: true } as const;
  const before = client.append({ ...callDraft('/before'), ...patient });
  await t.rejects(client.append({ ...callDraft('/permit'), receipt: false }), LineageUnavailable);
  t.match(await client.health(), { state: 'stalled' });
  const meanwhile = client.append({ ...callDraft('/meanwhile'), ...patient });
  open(1);
  t.match(await before, { seq: 1 });
  t.match(await meanwhile, { seq: 3 });
  await client.close();
  await t.rejects(
    client.append({ ...callDraft('/after'), ...patient }),
    LineageUnavailable,
    'but no closed one',
  );
});

t.test('closing does not wait for a writer that hangs', async (t) => {
  const { client, open } = heldClient(scratchFolder(t), 20);
  const append = t.rejects(client.append({ ...callDraft('/x'), receipt: false }), LineageUnavailable);
  await t.rejects(client.close(), { name: 'LineageUnavailable', message: /did not close in time/ });
  await append;
  t.match(await client.health(), { state: 'closed' });
  open(1);
});

t.test('what cannot be recorded while the log closes is not said to be', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await open(log.home);
  const failures: unknown[] = [];
  lineage.onFailure((cause) => failures.push(cause));
  rmSync(segmentPath(log.layout.segments, 0));
  const last = t.rejects(lineage.append({ ...callDraft('/last'), receipt: false }), LineageUnavailable);
  await t.rejects(lineage.close(), { name: 'LineageUnavailable', message: /ENOENT/ });
  await last;
  t.strictSame(failures, [], 'who closes hears it from `close`');
});

t.test('a log that cannot be vouched for at its end was not closed', async (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const lineage = await openLineage({ home: log.home, deadlineMs: 5000, segmentSeconds, vouchMs: 1_000_000 });
  t.match(await lineage.append({ ...callDraft('/x'), receipt: false }), { seq: 1 });
  mkdirSync(`${log.layout.checkpoint}.tmp`); // where the new checkpoint is written first
  await t.rejects(lineage.close(), { name: 'LineageUnavailable', message: /EISDIR/ });
  rmdirSync(`${log.layout.checkpoint}.tmp`);
  const next = await open(log.home);
  t.match(await next.append({ ...callDraft('/next'), receipt: false }), { seq: 3 }, 'after a gap');
  await next.close();
});

t.test('a stall and its end are told', async (t) => {
  const { client, open } = heldClient(scratchFolder(t), 20);
  const told: string[] = [];
  const over = new Promise<void>((resolve) => {
    client.onChange(({ state }) => {
      told.push(state);
      if (state === 'writing') resolve();
    });
  });
  await t.rejects(client.append({ ...callDraft('/x'), receipt: false }), LineageUnavailable);
  t.strictSame(told, ['stalled']);
  t.match(client.condition, { state: 'stalled', room: 'ample' });
  open(1);
  await over;
  t.strictSame(told, ['stalled', 'writing'], 'with nobody asking');
  await client.close();
});

t.test('a writer thread that dies rejects what waits', async (t) => {
  const { client, open } = heldClient(scratchFolder(t), 5000);
  const failed = new Promise<Error>((resolve) => client.onFailure(resolve));
  const append = client.append({ ...callDraft('/x'), receipt: false });
  open(2);
  await t.rejects(append, { name: 'LineageUnavailable', message: /the disk is gone/ });
  t.match(await failed, { message: /the disk is gone/ });
  await t.rejects(client.refuse('x'), LineageUnavailable);
  await t.rejects(client.append({ ...callDraft('/x'), receipt: false }), LineageUnavailable);
  t.match(await client.health(), { state: 'failed' });
  await client.close();
});
