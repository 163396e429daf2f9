/** Snapshots of use counts: only what follows one is read, and one that is not sound is not used. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { newKey, secretMark, sha256Hex } from '../../src/crypto/node.ts';
import { Uses } from '../../src/grant/uses.ts';
import { readIdentity, readLogMark } from '../../src/lineage/identity.ts';
import { layoutOf, segmentPath } from '../../src/lineage/layout.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { permitEntry } from '../../src/gate/record.ts';
import { keepCounts, recount } from '../../src/sidecar/recount.ts';
import { SNAPSHOT_PURPOSE } from '../../src/sidecar/use-snapshot.ts';
import { startSidecar } from '../../src/sidecar/start.ts';
import { UseKeeper } from '../../src/sidecar/use-keeper.ts';
import { makeHome } from '../e2e/home.ts';
import type { TestHome } from '../e2e/home.ts';
import { foundAll } from '../gate/found.ts';
import { NOW } from '../grant/tokens.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const wall = (): number => NOW * 1000;

async function record(home: string, uses: number): Promise<void> {
  const lineage = await openLineage({ home, deadlineMs: 5000 });
  for (let i = 0; i < uses; i++) await lineage.append(permitEntry(foundAll(), []));
  await lineage.close();
}

/** What a start counts, and how many entries it read for it. */
function counted(home: string): { used: number | undefined; read: number } {
  const uses = new Uses(wall);
  const { read } = recount(home, uses);
  return { used: uses.rows()[0]?.[1], read };
}

async function homeWithSnapshot(
  t: Parameters<typeof makeHome>[0],
): Promise<{ home: TestHome; path: string }> {
  const home = await makeHome(t);
  await record(home.path, 3);
  keepCounts(home.path, wall);
  return { home, path: layoutOf(home.path).uses };
}

t.test('only what follows the snapshot is read', async (t) => {
  const { home } = await homeWithSnapshot(t);
  t.strictSame(counted(home.path), { used: 3, read: 0 });
  await record(home.path, 2);
  t.strictSame(counted(home.path), { used: 5, read: 2 });
  keepCounts(home.path, wall);
  t.strictSame(counted(home.path), { used: 5, read: 0 });
});

t.test('a snapshot that is missing, damaged or of another log means a full count', async (t) => {
  const { home, path } = await homeWithSnapshot(t);
  const good = readFileSync(path, 'utf8');
  const layout = layoutOf(home.path);
  const mark = readLogMark(layout, readIdentity(layout), SNAPSHOT_PURPOSE);
  const signed = (line: string): string => `${line}\n${mark.of(line)}\n`;
  const [line = ''] = good.split('\n');
  const fewer = line.replace(',3,', ',1,');
  t.not(fewer, line);
  const other = secretMark(newKey(), `${SNAPSHOT_PURPOSE} ${readIdentity(layout).origin}`);
  const elsewhere = readLogMark(layout, readIdentity(layout), 'something else');
  const changed = (change: (value: Record<string, unknown>) => object): string =>
    signed(JSON.stringify(change(JSON.parse(good.split('\n')[0] ?? '') as Record<string, unknown>)));
  const rows: [string, string][] = [
    ['empty', ''],
    ['cut', good.slice(0, -1)],
    ['a changed count', good.replace(',3,', ',1,')],
    ['something after it', `${good}x`],
    ['fewer uses, with a plain digest', `${fewer}\n${sha256Hex(fewer)}\n`],
    ['fewer uses, under another key', `${fewer}\n${other.of(fewer)}\n`],
    ['fewer uses, marked for something else', `${fewer}\n${elsewhere.of(fewer)}\n`],
    ['no mark', `${line}\n\n`],
    ['another root', changed((is) => ({ ...is, root: '00'.repeat(32), rows: [] }))],
    ['a shorter log', changed((is) => ({ ...is, size: 2, rows: [] }))],
    ['a longer log', changed((is) => ({ ...is, size: 99, rows: [] }))],
    ['no root', changed((is) => ({ ...is, root: undefined, rows: [] }))],
    ['a negative count', changed((is) => ({ ...is, rows: [['x', -1, NOW]] }))],
    ['a row twice', changed((is) => ({ ...is, rows: [['x', 1, NOW], ['x', 1, NOW]] }))],
    ['a row of something else', changed((is) => ({ ...is, rows: [['x', '1', NOW]] }))],
    ['no document', signed('null')],
    ['no JSON', signed('{')],
  ]; // prettier-ignore
  for (const [name, text] of rows) {
    writeFileSync(path, text);
    t.strictSame(counted(home.path), { used: 3, read: 4 }, name);
  }
  writeFileSync(path, good);
  t.strictSame(counted(home.path), { used: 3, read: 0 }, 'good again');
});

t.test('an entry that is counted is one of the signed tree', async (t) => {
  const { home } = await homeWithSnapshot(t);
  const segment = segmentPath(layoutOf(home.path).segments, 0);
  const bytes = readFileSync(segment);
  bytes[bytes.indexOf('"max":') + 1] = 0x4d; // a use that would not be counted
  writeFileSync(segment, bytes);
  t.throws(() => counted(home.path), { code: 'log_damaged' });
});

t.test('a sidecar leaves a snapshot of the whole log when it stops', async (t) => {
  const home = await makeHome(t);
  const settings = home.settings();
  const reread = (): { ok: true; settings: typeof settings } => ({ ok: true, settings });
  const sidecar = await startSidecar({ settings, log: silent, version: '0.0.0', exposed: false, reread });
  await sidecar.stop();
  t.ok(existsSync(layoutOf(home.path).uses));
  t.equal(counted(home.path).read, 0);
});

t.test('while the log grows, a thread makes snapshots of what the checkpoint covers', async (t) => {
  const home = await makeHome(t);
  const lineage = await openLineage({ home: home.path, deadlineMs: 5000, vouchMs: 1 });
  const keeper = new UseKeeper({ home: home.path, lineage, log: silent, covered: 0, every: 3 });
  await keeper.look();
  t.notOk(existsSync(layoutOf(home.path).uses), 'not before it is due');
  for (let i = 0; i < 5; i++) await lineage.append(permitEntry(foundAll(), []));
  await keeper.look();
  t.ok(existsSync(layoutOf(home.path).uses));
  await lineage.close();
  t.equal(counted(home.path).used, 5);
  await keeper.close();
  t.strictSame(counted(home.path), { used: 5, read: 0 });
});

t.test('a snapshot that cannot be made is a warning, not a failure', async (t) => {
  const { home } = await homeWithSnapshot(t);
  const segment = segmentPath(layoutOf(home.path).segments, 0);
  writeFileSync(segment, '');
  const warned: string[] = [];
  const log = { warn: (message: string) => warned.push(message) };
  const lineage = {
    health: () => Promise.resolve({ state: 'writing', size: 9, waiting: 0, free: 0, room: 'ample' } as const),
  };
  const keeper = new UseKeeper({ home: home.path, lineage, log, covered: 0, every: 3 });
  await keeper.look();
  await keeper.close();
  t.equal(warned.length, 2);
  const symbol = Symbol() as unknown as string; // as: no thread takes it, and Node throws as where no thread is left
  await new UseKeeper({ home: symbol, lineage, log, covered: 0, every: 3 }).look();
  t.equal(warned.length, 3, 'a thread that cannot be started');
});
