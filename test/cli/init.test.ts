import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { layoutOf } from '../../src/lineage/layout.ts';
import { readEntries } from '../../src/lineage/read.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

function writ(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: {} });
}

/** A home that is to be retired: its folder, its last checkpoint, and a trust file with its key. */
function retired(folder: string): { home: string; checkpoint: string; trust: string } {
  const home = join(folder, 'old');
  const trust = join(folder, 'trust.json');
  writ('init', '--home', home);
  writeFileSync(trust, writ('trust', 'export', '--home', home).stdout);
  return { home, checkpoint: layoutOf(home).checkpoint, trust };
}

/** What entry 0 of a home's log says. */
function genesisOf(home: string): unknown {
  const [first] = readEntries(layoutOf(home).segments);
  const { predicate } = JSON.parse(String(first?.bytes)) as { predicate: unknown };
  return predicate;
}

t.test('a log that takes the place of a retired one names its last checkpoint', (t) => {
  const folder = scratchFolder(t);
  const { checkpoint, trust } = retired(folder);
  const home = join(folder, 'new');
  t.match(writ('init', '--home', home, '--follows', checkpoint, '--trust', trust), { status: 0, stderr: '' });
  t.match(genesisOf(home), { follows: readFileSync(checkpoint, 'utf8') });
  t.match(writ('lineage', 'verify', '--home', home), { status: 0 });
  t.notMatch(genesisOf(join(folder, 'old')), { follows: String });
  t.end();
});

t.test('it does not where nobody vouches for that, or where it is too late', (t) => {
  const folder = scratchFolder(t);
  const { home: old, checkpoint, trust } = retired(folder);
  const other = retired(join(folder, 'other'));
  const junk = join(folder, 'junk');
  writeFileSync(junk, 'nothing');
  const home = join(folder, 'new');
  const rows: [string, string[], number, RegExp][] = [
    ['no trust file', ['--follows', checkpoint], 2, /--follows needs --trust/],
    ['another log’s key', ['--follows', checkpoint, '--trust', other.trust], 3, /there is no checkpoint in/],
    ['no checkpoint', ['--follows', junk, '--trust', trust], 3, /there is no checkpoint in/],
    ['no file', ['--follows', join(folder, 'none'), '--trust', trust], 3, /none/],
    ['no trust in the file', ['--follows', checkpoint, '--trust', junk], 3, /is not a trust file/],
  ];
  for (const [name, flags, status, stderr] of rows) {
    t.match(writ('init', '--home', home, ...flags), { status, stderr, stdout: '' }, name);
    t.notOk(existsSync(home), 'nothing was made');
  }
  const flags = ['--follows', other.checkpoint, '--trust', other.trust];
  t.match(writ('init', '--home', old, ...flags), { status: 2, stderr: /stands in its first entry/ });
  writeFileSync(join(old, '.initialising'), ''); // as if killed behind the log
  t.match(writ('init', '--home', old, ...flags), { status: 3, stderr: /has a log already/ });
  t.notMatch(genesisOf(old), { follows: String });
  t.end();
});

t.test('what comes next is said for this home, as a shell reads it', (t) => {
  const home = join(scratchFolder(t), "a home's");
  t.match(writ('init', '--home', `${home} too`).stdout, /^npx writ serve --home /m, 'in the checkout');
  const options = { encoding: 'utf8', cwd: scratchFolder(t), env: {} } as const;
  const { stdout } = spawnSync(process.execPath, [BIN, 'init', '--home', home], options);
  const next = /^node .+ keys new authority --home .+$/m.exec(stdout)?.[0] ?? '';
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
  const ran = spawnSync('sh', ['-c', next], { ...options, env });
  t.match(ran, { status: 0, stderr: '' }, 'and as it stands from elsewhere');
  t.ok(existsSync(join(home, 'keys', 'authority.jwk')));
  t.end();
});
