/** A whole sidecar on a small disk: what it does as that fills, and when it turns read-only. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { TestHome } from '../e2e/home.ts';
import { missing } from '../e2e/program.ts';
import { checkLog } from './checker.ts';
import { countingOrigin, Load } from './load.ts';
import type { CountingOrigin } from './load.ts';
import { SmallDisk } from './small-disk.ts';
import { violations } from './violations.ts';

const MEBIBYTE = 1024 * 1024;
const ALARM = 6 * MEBIBYTE;
const PERMITS = 5 * MEBIBYTE;
const DENIALS = 4 * MEBIBYTE;
const CALLERS = 16;
const skip =
  process.getuid?.() === 0 ? missing('mkfs.ext4') || missing('e2fsck') : 'only root can mount a disk';

t.setTimeout(600_000);

interface Stage {
  readonly disk: SmallDisk;
  readonly home: TestHome;
  readonly origin: CountingOrigin;
}

/** A home on a disk of its own; undefined, and the test skipped, where there can be none. */
async function stage(t: Test): Promise<Stage | undefined> {
  const origin = await countingOrigin(t);
  const folder = mkdtempSync(join(tmpdir(), 'writ-small-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const levels = { alarm_free_bytes: ALARM, permit_free_bytes: PERMITS, denial_free_bytes: DENIALS };
  const settings = { lineage: { ...levels, segment_bytes: 65_536 }, denial: { recorded_burst: 1_000_000 } };
  const home = new TestHome(folder, { origins: [origin], settings });
  const disk = await SmallDisk.mount(t, home.path, 32);
  if (typeof disk === 'string') return void t.pass(disk);
  await home.make();
  return { disk, home, origin };
}

t.test('a disk that fills: alarm, recorded denials, counted denials, and on again', { skip }, async (t) => {
  const scene = await stage(t);
  if (!scene) return;
  const { disk, home, origin } = scene;
  disk.fill(ALARM + MEBIBYTE / 2);
  const sidecar = await ChildSidecar.start(t, home);
  const load = new Load({ home, origin, port: sidecar.port('forward'), callers: CALLERS, name: 'filling' });
  await sidecar.says('the log’s disk fills');
  await sidecar.says('the log’s disk is almost full: every call is denied');
  await sidecar.says('the log’s disk is full: denials are only counted');
  await load.answered(load.answers.length + 200);
  await load.stop();
  const last = load.answers.slice(-50);
  t.ok(
    last.every(({ status, entry }) => status === 403 && Number.isNaN(entry)),
    'denied, and not recorded',
  );
  t.match(last[0]?.statement, 'urn:writ:refusal:v1');
  const decisions = checkLog(home.path, home.origin).entries.filter(({ type }) => type === 'decision');
  const first = decisions.findIndex(({ is }) => is.code === 'log_space_low');
  t.ok(first > CALLERS, 'after the alarm calls still went out');
  const reserve = decisions.slice(first + CALLERS); // those before may have been let through already
  t.ok(reserve.length > CALLERS, 'denials are recorded from the reserve');
  t.ok(
    reserve.every(({ is }) => is.verdict === 'deny'),
    'and no call goes out any more',
  );
  t.ok(disk.freeBytes > DENIALS / 2, 'what closes a call still has room');
  t.strictSame(
    violations(checkLog(home.path, home.origin), {
      arrived: origin.paths,
      answers: load.answers,
      earlier: [],
    }),
    [],
  );

  disk.relieve();
  await sidecar.says('the log has room again');
  const later = new Load({ home, origin, port: sidecar.port('forward'), callers: 2, name: 'relieved' });
  await later.answered(20);
  await later.stop();
  t.ok(
    later.answers.some(({ status }) => status === 200),
    'it goes on by itself',
  );
  const answers = [...load.answers, ...later.answers];
  t.match(await sidecar.stop(), { code: 0 });
  t.strictSame(
    violations(checkLog(home.path, home.origin), { arrived: origin.paths, answers, earlier: [] }),
    [],
  );
});

const ends: readonly [string, (disk: SmallDisk) => unknown, (disk: SmallDisk) => unknown][] = [
  ['has not a byte left', (disk) => disk.fill(0), (disk) => disk.relieve()],
  ['turns read-only', (disk) => disk.turnReadOnly(), (disk) => disk.repair()],
];

for (const [name, hit, mend] of ends)
  t.test(`a disk that ${name} at once: nothing is acknowledged that is not on it`, { skip }, async (t) => {
    const scene = await stage(t);
    if (!scene) return;
    const { disk, home, origin } = scene;
    const sidecar = await ChildSidecar.start(t, home);
    const load = new Load({ home, origin, port: sidecar.port('forward'), callers: CALLERS, name: 'struck' });
    await load.answered(60);
    await hit(disk);
    t.match(await sidecar.exited, { code: 3 });
    await load.stop();
    await mend(disk);
    const seen = { arrived: origin.paths, answers: load.answers };
    const before = checkLog(home.path, home.origin);
    t.strictSame(violations(before, { ...seen, earlier: [] }), []);
    const again = await ChildSidecar.start(t, home);
    t.match(await again.says('listening'), { ready: true });
    t.match(await again.stop(), { code: 0 });
    const earlier = before.entries.map(({ text }) => text);
    t.strictSame(violations(checkLog(home.path, home.origin), { ...seen, earlier }), []);
  });
