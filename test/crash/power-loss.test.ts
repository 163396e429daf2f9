import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { listSegments } from '../../src/lineage/layout.ts';
import { missing } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { openStore, scratchLog } from '../lineage/scratch-log.ts';
import { checkLog, readBatch, readStatement, wrongTiles } from './checker.ts';
import type { CheckedEntry } from './checker.ts';
import { seeded } from './kill-rounds.ts';
import { Disk, LOSSES } from './power-loss.ts';
import type { SystemCall } from './trace.ts';
import { makeUncleanLog } from './unclean-log.ts';
import { violations } from './violations.ts';
import { runWatched } from './watched-log.ts';

/** How often `any of it` is tried after each call. */
const TRIES = 3;

t.setTimeout(600_000);

t.test(
  'wherever the power goes, what a sync had covered is there, and the log goes on',
  { skip: missing('strace') },
  async (t) => {
    const folder = scratchFolder(t);
    const { home, identity } = makeUncleanLog(join(folder, 'home'));
    const disk = new Disk(home);
    const spare = join(folder, 'spare');
    cpSync(home, spare, { recursive: true });
    const run = await runWatched(home, folder);
    if (!run) return void t.plan(0, 'this machine lets nobody trace a process');
    t.equal(run.end, 'closed');

    const seed = Date.now() % 1_000_000;
    const random = seeded(seed);
    const sure = new Set(checkLog(spare, identity.origin).entries.map(({ text }) => text));
    const left = join(folder, 'left');
    let states = 0;
    for (const [i, call] of run.calls.entries()) {
      disk.take(call);
      for (const { text } of covered(call, disk)) sure.add(text);
      if (!`${call.on}${call.rest}`.includes(home)) continue;
      for (const loss of [...LOSSES, ...Array.from({ length: TRIES - 1 }, () => 'any of it' as const)]) {
        disk.leave(left, loss, random);
        states++;
        const found = afterwards(left, identity.origin, sure);
        if (found.length > 0)
          t.strictSame(found, [], `seed ${seed}, ${loss} after call ${i}: ${call.name} ${call.on}`);
      }
    }
    t.ok(states > 300, `${states} states`);
    const synced = new Map([...sure].map((text) => [readStatement(Buffer.from(text)).seq, text]));
    t.strictSame(
      run.acknowledged.filter(({ seq, path }) => !synced.get(seq)?.includes(`"path":"${path}"`)),
      [],
      'nothing was acknowledged that no sync had covered',
    );
  },
);

t.test(
  'what a recovery left that was killed before its last sync is durable before the next one vouches for it',
  { skip: missing('strace') },
  async (t) => {
    const folder = scratchFolder(t);
    const { home, identity, layout } = makeUncleanLog(join(folder, 'home'));
    const before = listSegments(layout.segments).length;
    const rehearsal = join(folder, 'rehearsal');
    cpSync(home, rehearsal, { recursive: true });
    const disk = new Disk(home);
    const random = seeded(1);
    const whole = await runWatched(rehearsal, folder);
    if (!whole) return void t.plan(0, 'this machine lets nobody trace a process');
    const syncs = whole.calls.filter(({ name }) => name === 'fsync');
    const when = 1 + syncs.findIndex(({ on }) => on.endsWith('/lineage/segments>'));
    t.ok(when > 1, 'the folder is synced after the new segment is');
    const killed = await runWatched(home, folder, { call: 'fsync', when, with: 'SIGKILL' });
    t.equal(killed?.end, undefined);
    t.equal(listSegments(layout.segments).length, before + 1, 'the new segment has its name');
    const next = await runWatched(home, folder);
    t.equal(next?.end, 'closed');
    for (const call of killed?.calls ?? []) disk.take(call);
    const left = join(folder, 'left');
    for (const call of next?.calls ?? []) {
      disk.take(call);
      if (call.name !== 'fsync') continue;
      disk.leave(left, 'all is lost', random);
      t.strictSame(
        afterwards(left, identity.origin, new Set()),
        [],
        `all is lost after a sync of ${call.on}`,
      );
    }
  },
);

/** The entries in a segment whose sync has just returned. */
function covered({ name, on, result }: SystemCall, disk: Disk): readonly CheckedEntry[] {
  const path = /<(.*\/segments\/\d{16}\.log)>$/.exec(on)?.[1];
  if (!/^f(data)?sync$/.test(name) || path === undefined || result < 0) return [];
  const entries: CheckedEntry[] = [];
  let bytes = disk.content(path) ?? Buffer.alloc(0);
  for (let batch = readBatch(bytes); batch; batch = readBatch(bytes)) {
    entries.push(...batch.entries.map(readStatement));
    bytes = bytes.subarray(batch.length);
  }
  return entries;
}

/** What a start makes of such a disk, and the next one. */
function afterwards(home: string, origin: string, sure: ReadonlySet<string>): readonly string[] {
  try {
    openStore(scratchLog(home)).close();
    const log = checkLog(home, origin);
    const earlier = log.entries.map(({ text }) => text);
    const lost = [...sure].filter((text) => !earlier.includes(text));
    openStore(scratchLog(home)).close();
    const again = checkLog(home, origin);
    return [
      ...lost.map((text) => `P2 this entry is lost: ${text.slice(0, 300)}`),
      ...wrongTiles(home, again),
      ...violations(again, { arrived: [], answers: [], earlier }),
      ...(again.entries.length === earlier.length ? [] : ['P7 a second start changed the log']),
    ];
  } catch (cause) {
    return [`the log does not open: ${String(cause)}`];
  }
}
