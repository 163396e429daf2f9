import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadSigner, newKey } from '../../src/crypto/node.ts';
import { createLog } from '../../src/lineage/create.ts';
import { LogFault } from '../../src/lineage/fault.ts';
import { readIdentity, readLogKeys } from '../../src/lineage/identity.ts';
import { layoutOf, listSegments, segmentPath } from '../../src/lineage/layout.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { replayTail } from '../../src/lineage/replay.ts';
import { signHead } from '../../src/lineage/seal.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore, scratchLog } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

/** What an entry says, without what the writer added. */
const textsOf = ({ layout }: ScratchLog): readonly string[] =>
  [...readEntries(layout.segments)].map(({ bytes }) => Buffer.from(bytes).toString());
const isGap = (text: string | undefined): boolean =>
  text?.includes('"predicateType":"urn:writ:gap:v1"') === true;
const verdictOn = (log: ScratchLog): object => verifyLog({ layout: log.layout, logKey: log.identity.logKey });

const secondBatch = (path: string): number =>
  readFileSync(path).indexOf(Buffer.of(0xff, 0x57, 0x42, 0x01), 1);

const contents = ({ layout }: ScratchLog): readonly string[] =>
  listSegments(layout.segments).map(({ path }) => readFileSync(path, 'base64'));

function faultOf(work: () => unknown): { code?: string; index?: number | undefined; message?: string } {
  try {
    work();
    return {};
  } catch (cause) {
    if (!(cause instanceof LogFault)) throw cause;
    return { code: cause.code, index: cause.index, message: cause.message };
  }
}

/** A log whose checkpoint vouches for entries 0 to 5, with 3 more entries in 2 batches after that; its writer is gone. */
function crashed(home: string): {
  log: ScratchLog;
  path: string;
  vouchedLength: number;
  lastBatchAt: number;
} {
  const log = makeScratchLog(home);
  const store = openStore(log);
  fill(store, 5);
  store.vouch();
  const path = segmentPath(log.layout.segments, 0);
  const vouchedLength = statSync(path).size;
  store.append([callDraft('/unvouched')]);
  const lastBatchAt = statSync(path).size;
  store.append([callDraft('/last/1'), callDraft('/last/2')]);
  return { log, path, vouchedLength, lastBatchAt };
}

t.test('entries after the checkpoint are written again, and the stop goes on record', (t) => {
  const { log, path, vouchedLength } = crashed(scratchFolder(t));
  const before = textsOf(log);
  const store = openStore(log);
  t.equal(store.size, 10);
  const after = textsOf(log);
  t.strictSame(after.slice(0, 9), before, 'nothing is lost');
  t.ok(isGap(after[9]));
  t.match(after[9], /"cause":"unclean stop".*"recovered":3/);
  t.equal(statSync(path).size, vouchedLength, 'the old tail is cut');
  t.strictSame(
    listSegments(log.layout.segments).map(({ first }) => first),
    [0, 6],
  );
  t.equal(readFileSync(log.layout.checkpoint, 'utf8'), store.head, 'and all of it is vouched for');
  t.equal(store.append([callDraft('/next')]).first, 10);
  store.close();
  t.match(verdictOn(log), { ok: true, size: 11, torn: 0 });
  t.end();
});

t.test('a last batch cut at any byte is copied aside and cut off', (t) => {
  const folder = scratchFolder(t);
  const { log, path, lastBatchAt } = crashed(join(folder, 'home'));
  const whole = readFileSync(path);
  const before = textsOf(log);
  const spare = join(folder, 'spare');
  cpSync(log.home, spare, { recursive: true });
  for (let length = lastBatchAt + 1; length < whole.length; length += 1) {
    rmSync(log.home, { recursive: true });
    cpSync(spare, log.home, { recursive: true });
    truncateSync(path, length);
    openStore(log).close();
    const after = textsOf(log);
    const [torn = ''] = readdirSync(log.layout.torn);
    const aside = readFileSync(join(log.layout.torn, torn));
    if (after.slice(0, 7).join() !== before.slice(0, 7).join()) t.fail(`${length}: not a prefix`);
    if (after.length !== 8 || !isGap(after[7])) t.fail(`${length}: no gap entry`);
    if (Buffer.compare(aside, whole.subarray(lastBatchAt, length)) !== 0)
      t.fail(`${length}: not copied aside`);
    if (!after[7]?.includes(`"torn":{"bytes":${length - lastBatchAt},"file":"${torn}"}`))
      t.fail(`${length}: not named`);
  }
  t.match(verdictOn(log), { ok: true, size: 8, torn: 0 });
  t.pass(`${whole.length - lastBatchAt - 1} lengths`);
  t.end();
});

t.test('a tail of zeros, of garbage, or with sectors missing is torn', (t) => {
  const rows: [string, (path: string, lastBatchAt: number) => void, number][] = [
    ['zeros', (path) => appendFileSync(path, Buffer.alloc(10_000)), 10],
    ['garbage', (path) => appendFileSync(path, Buffer.from('garbage \xff\x57\x42\x01 \0\0', 'latin1')), 10],
    ['one byte', (path) => appendFileSync(path, '\0'), 10],
    [
      'zeros for the last batch',
      (path, at) => overwrite(path, at, Buffer.alloc(statSync(path).size - at)),
      8,
    ],
    ['zeros for its head', (path, at) => overwrite(path, at, Buffer.alloc(20)), 8],
    ['zeros for its middle', (path, at) => overwrite(path, at + 512, Buffer.alloc(512)), 8],
    ['garbage for its end', (path) => overwrite(path, statSync(path).size - 3, Buffer.from('abc')), 8],
  ];
  for (const [name, change, size] of rows) {
    const { log, path, lastBatchAt } = crashed(scratchFolder(t));
    change(path, lastBatchAt);
    const store = openStore(log);
    t.equal(store.size, size, name);
    t.ok(isGap(textsOf(log).at(-1)));
    t.equal(readdirSync(log.layout.torn).length, 1);
    store.close();
    t.match(verdictOn(log), { ok: true, size });
  }
  t.end();
});

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const content = readFileSync(path);
  content.set(bytes, at);
  writeFileSync(path, content);
}

t.test('recovery may be repeated after a crash of its own, at each of its steps', (t) => {
  const folder = scratchFolder(t);
  const recovered = crashed(join(folder, 'home'));
  const original = join(folder, 'original');
  cpSync(recovered.log.home, original, { recursive: true });
  openStore(recovered.log).close();
  const after = textsOf(recovered.log);
  const put = (path: string): void => cpSync(join(original, path), join(recovered.log.home, path));
  const rows: [string, () => void][] = [
    ['nothing was done yet', () => (rmSync(recovered.log.home, { recursive: true }), cpSync(original, recovered.log.home, { recursive: true }))],
    ['the new segment was not whole', () => (rmSync(recovered.log.home, { recursive: true }), cpSync(original, recovered.log.home, { recursive: true }), writeFileSync(`${segmentPath(recovered.log.layout.segments, 6)}.tmp`, 'half'))],
    ['the old tail was not cut, the checkpoint not written', () => (put('lineage/segments/0000000000000000.log'), put('lineage/checkpoint'))],
    ['the checkpoint was not written', () => put('lineage/checkpoint')],
    ['all was done', () => undefined],
  ]; // prettier-ignore
  for (const [name, prepare] of rows) {
    prepare();
    for (const round of [1, 2]) {
      const store = openStore(recovered.log);
      t.equal(store.size, 10, `${name}, start ${round}`);
      store.close();
    }
    t.strictSame(textsOf(recovered.log).slice(0, 9), after.slice(0, 9));
    t.notOk(existsSync(`${segmentPath(recovered.log.layout.segments, 6)}.tmp`));
    t.match(verdictOn(recovered.log), { ok: true, size: 10, torn: 0 });
  }
  t.end();
});

t.test(
  'a torn tail that a killed recovery left uncut costs no start more than its end, and is cut by the next',
  (t) => {
    const { log, path, vouchedLength } = crashed(scratchFolder(t));
    appendFileSync(path, Buffer.alloc(200_000, 'torn'));
    const [tail, checkpoint] = [readFileSync(path), readFileSync(log.layout.checkpoint)];
    openStore(log).close();
    const recovered = textsOf(log);
    const isQuick = (): boolean =>
      replayTail({ ...log, logKey: log.identity.logKey, everyHead: false, onTile: () => undefined }) !==
      undefined;
    writeFileSync(path, tail);
    t.ok(isQuick(), 'it stayed, and the log went on');
    writeFileSync(log.layout.checkpoint, checkpoint);
    t.ok(isQuick(), 'the kill came before the cut');
    openStore(log).close();
    t.equal(statSync(path).size, vouchedLength);
    t.strictSame(textsOf(log), recovered);
    t.equal(readdirSync(log.layout.torn).length, 1);
    t.match(verdictOn(log), { ok: true, size: 10, torn: 0 });
    t.end();
  },
);

t.test('a crash right after a segment was begun loses nothing', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log, 3000);
  while (listSegments(log.layout.segments).length < 3) store.append([callDraft('/x')]);
  const last = listSegments(log.layout.segments).at(-1);
  const { size } = store;
  truncateSync(last?.path ?? '', 0);
  t.equal(openStore(log).size, size - 1, 'without its first batch');
  t.match(verdictOn(log), { ok: true, size: size - 1 });
  t.end();
});

t.test('what is no torn tail is refused, with its entry, and changes nothing', (t) => {
  const rows: [string, (c: ReturnType<typeof crashed>) => void, object][] = [
    ['a vouched batch changed', ({ path }) => flip(path, 1200), { code: 'log_damaged' }],
    ['a batch changed that another follows', ({ path, vouchedLength }) => flip(path, vouchedLength + 300), { code: 'log_damaged', index: 6 }],
    ['the head of such a batch changed', ({ path, vouchedLength }) => flip(path, vouchedLength + 5), { code: 'log_damaged', index: 6 }],
    ['vouched entries cut off', ({ path, vouchedLength }) => truncateSync(path, vouchedLength - 1), { code: 'log_damaged', index: 5 }],
    ['whole vouched batches cut off', ({ path }) => truncateSync(path, secondBatch(path)), { code: 'log_rolled_back', index: 1 }],
    ['an empty segment', ({ path }) => truncateSync(path, 0), { code: 'log_rolled_back', index: 0 }],
    ['no segment', ({ path }) => rmSync(path), { code: 'log_missing' }],
    ['the first segment missing', ({ log, path }) => (cpSync(path, segmentPath(log.layout.segments, 3)), rmSync(path)), { code: 'log_damaged', index: 0 }],
    ['a segment that begins too late', ({ log, path }) => cpSync(path, segmentPath(log.layout.segments, 12)), { code: 'log_damaged', index: 9 }],
    ['no checkpoint', ({ log }) => rmSync(log.layout.checkpoint), { code: 'log_missing' }],
    ['an empty checkpoint', ({ log }) => writeFileSync(log.layout.checkpoint, ''), { code: 'log_damaged' }],
    ['a checkpoint of another key', ({ log }) => writeFileSync(log.layout.checkpoint, foreignCheckpoint(log)), { code: 'log_damaged' }],
    ['a checkpoint over another tree', ({ log }) => writeFileSync(log.layout.checkpoint, forkedCheckpoint(log)), { code: 'log_damaged' }],
  ]; // prettier-ignore
  for (const [name, change, fault] of rows) {
    const state = crashed(scratchFolder(t));
    change(state);
    const before = contents(state.log);
    t.match(
      faultOf(() => openStore(state.log)),
      fault,
      name,
    );
    t.strictSame(contents(state.log), before, 'nothing was changed');
  }
  t.end();
});

function flip(path: string, at: number): void {
  const content = readFileSync(path);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(path, content);
}

function foreignCheckpoint({ identity }: ScratchLog): string {
  return signHead(loadSigner(newKey()), identity.logKey, {
    origin: identity.origin,
    size: 6,
    root: new Uint8Array(32),
  });
}

function forkedCheckpoint({ layout, identity }: ScratchLog): string {
  const { log } = readLogKeys(layout, identity);
  return signHead(log, identity.logKey, { origin: identity.origin, size: 6, root: new Uint8Array(32) });
}

t.test('a batch that the log’s key did not sign is not taken for its tail', (t) => {
  const { log, path } = crashed(scratchFolder(t));
  const store = openStore(log);
  store.close();
  const forger = loadSigner(newKey());
  const seal = {
    ...log.seal,
    head: (head: Parameters<typeof signHead>[2]) => signHead(forger, log.identity.logKey, head),
  };
  openStore({ ...log, seal }).append([callDraft('/forged')]);
  t.match(
    faultOf(() => openStore(log)),
    { code: 'log_damaged', index: 10 },
  );
  t.ok(path);
  t.end();
});

t.test('a home that was put back from an older copy signs nothing', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  fill(store, 5);
  store.vouch();
  const segment = segmentPath(log.layout.segments, 0);
  const old = readFileSync(segment);
  fill(store, 5);
  store.close();
  writeFileSync(segment, old);
  const fault = faultOf(() => openStore(log));
  t.match(fault, { code: 'log_rolled_back', index: 6 });
  t.match(fault.message, /has 6 entries, but its checkpoint was signed over 11/);
  t.end();
});

t.test('writ init makes a log once, in one step', (t) => {
  const home = join(scratchFolder(t), 'home');
  const made = createLog({ home, name: 'localhost/writ', now: NOW });
  t.match(made, { created: true, origin: /^localhost\/writ\/[0-9a-f]{16}$/ });
  t.strictSame(createLog({ home, name: 'localhost/writ', now: NOW }), { ...made, created: false });
  const { layout } = scratchLog(home);
  t.equal(statSync(layout.logKey).mode & 0o777, 0o600);
  t.equal(statSync(home).mode & 0o777, 0o700);
  t.match(
    faultOf(() => createLog({ home: join(home, 'x'), name: 'a b', now: NOW })),
    { code: 'log_name_mismatch' },
  );
  writeFileSync(layout.unfinished, '');
  t.match(
    faultOf(() => openLocked(home)),
    { code: 'log_half_made' },
  );
  const again = createLog({ home, name: 'localhost/writ', now: NOW });
  t.not(again.origin, made.origin, 'a half-made log is made anew');
  t.ok(again.created);
  rmSync(layout.receiptKey);
  t.match(
    faultOf(() => createLog({ home, name: 'localhost/writ', now: NOW })),
    { code: 'log_half_made' },
  );
  t.end();
});

/** What the writer thread checks before it opens the store. */
function openLocked(home: string): void {
  const layout = layoutOf(home);
  readLogKeys(layout, readIdentity(layout));
}

t.test('keys that are not the log’s own are refused', (t) => {
  const rows: [string, (log: ScratchLog) => void, string][] = [
    ['no log key', ({ layout }) => rmSync(layout.logKey), 'log_key_missing'],
    ['no receipt key', ({ layout }) => rmSync(layout.receiptKey), 'log_key_missing'],
    [
      'a fresh log key',
      ({ layout }) => writeFileSync(layout.logKey, JSON.stringify(newKey())),
      'log_key_invalid',
    ],
    [
      'a fresh receipt key',
      ({ layout }) => writeFileSync(layout.receiptKey, JSON.stringify(newKey())),
      'log_key_invalid',
    ],
    ['the other key', ({ layout }) => cpSync(layout.logKey, layout.receiptKey), 'log_key_invalid'],
    ['an empty key', ({ layout }) => writeFileSync(layout.logKey, ''), 'log_key_invalid'],
    [
      'a mixed key',
      ({ layout }) => writeFileSync(layout.logKey, JSON.stringify({ ...newKey(), d: newKey().d })),
      'log_key_invalid',
    ],
    ['no log', ({ layout }) => rmSync(layout.directory, { recursive: true }), 'log_missing'],
    ['nothing at all', ({ home }) => rmSync(home, { recursive: true }), 'log_missing'],
  ];
  for (const [name, change, code] of rows) {
    const log = makeScratchLog(join(scratchFolder(t), 'home'));
    change(log);
    t.match(
      faultOf(() => openLocked(log.home)),
      { code },
      name,
    );
  }
  t.end();
});
