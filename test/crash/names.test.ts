/** What was made is there after a power cut: its bytes, and the names of all folders that lead to it. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { verifyLog } from '../../src/lineage/verify.ts';
import { missing, run } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { scratchLog } from '../lineage/scratch-log.ts';
import { checkLog } from './checker.ts';
import { Disk } from './power-loss.ts';
import { readTrace, traced } from './trace.ts';
import type { SystemCall } from './trace.ts';

t.setTimeout(600_000);

/** Below a folder that is there. */
const HOME = 'var/deep/home';

const never = (): number => 0;

interface Made {
  readonly disk: Disk;
  readonly calls: readonly SystemCall[];
  readonly home: string;
  readonly left: string;
}

/** Runs a program that makes a home two folders deep on an empty disk; undefined where nobody may be traced. */
async function made(t: Test, program: string, said: string): Promise<Made | undefined> {
  const folder = scratchFolder(t);
  const root = join(folder, 'disk');
  mkdirSync(join(root, 'var'), { recursive: true });
  const disk = new Disk(root);
  const home = join(root, HOME);
  const path = fileURLToPath(new URL(program, import.meta.url));
  const file = join(folder, 'trace');
  const { stdout, stderr } = await run('strace', traced(file, [process.execPath, path, home]));
  if (stdout !== said) return void t.plan(0, `nobody may be traced here: ${stderr}`);
  const calls = readTrace(readFileSync(file, 'latin1'));
  return { disk, calls, home, left: join(folder, 'left') };
}

/** Path and content of all that is below a folder; a link's content is its target. Not SQLite's lock, which is made anew. */
function contents(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const rows = names.flatMap((name): readonly (readonly [string, string])[] => {
    const found = lstatSync(join(folder, name));
    if (found.isDirectory() || name.startsWith('policy/active/') || /lineage\/lock(-journal)?$/.test(name))
      return [];
    if (found.isSymbolicLink()) return [[name, readlinkSync(join(folder, name))]];
    return [[name, readFileSync(join(folder, name), 'latin1')]];
  });
  return Object.fromEntries(rows.sort());
}

t.test('a home that was made, and an authority', { skip: missing('strace') }, async (t) => {
  const stage = await made(t, 'home-process.ts', 'made\n');
  if (!stage) return;
  const { disk, calls, home, left } = stage;
  for (const call of calls) disk.take(call);
  disk.leave(left, 'all is lost', never);
  const wanted = contents(home);
  t.ok(Object.keys(wanted).length > 10, Object.keys(wanted).join(' '));
  t.strictSame(contents(join(left, HOME)), wanted);
});

t.test('a log that was pruned, wherever the power goes', { skip: missing('strace') }, async (t) => {
  const stage = await made(t, 'fresh-prune-process.ts', 'pruned\n');
  if (!stage) return;
  const { disk, calls, left } = stage;
  let states = 0;
  for (const call of calls) {
    disk.take(call);
    if (call.name !== 'unlink' || !call.rest.includes('/segments/')) continue;
    for (const loss of ['all is lost', 'any of it'] as const) {
      disk.leave(left, loss, (below) => below - 1);
      const { layout, identity } = scratchLog(join(left, HOME));
      states++;
      const verdict = verifyLog({ layout, logKey: identity.logKey });
      t.ok(verdict.ok, `${loss} after ${call.rest}: ${verdict.ok ? 'good' : verdict.message}`);
      t.doesNotThrow(() => checkLog(join(left, HOME), identity.origin), 'so says the checker');
    }
  }
  t.ok(states > 8, `${states} states`);
});
