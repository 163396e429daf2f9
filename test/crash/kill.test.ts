import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../e2e/program.ts';
import { checkLog } from './checker.ts';
import type { CheckedLog } from './checker.ts';
import { KillRounds, seeded } from './kill-rounds.ts';
import type { Answer } from './load.ts';
import { violations } from './violations.ts';

const ROUNDS = 20;

t.setTimeout(600_000);
const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

/** Runs a command on a home; what it printed with `--json`. */
async function writ(home: string, ...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(process.execPath, [BIN, ...args, '--home', home, '--json']);
  if (exit !== 0) throw new Error(`${args.join(' ')} ended with ${exit}: ${stderr}${stdout}`);
  return stdout;
}

function openPermits({ entries }: CheckedLog): readonly number[] {
  const closed = new Set(entries.flatMap(({ type, is }) => (type === 'outcome' ? [is.permit] : [])));
  return entries.flatMap(({ seq, is }) => (is.verdict === 'permit' && !closed.has(seq) ? [seq] : []));
}

t.test(`${ROUNDS} times killed under load, a sidecar has recorded all that it did`, async (t) => {
  const stage = await KillRounds.prepare(t, seeded(Date.now()));
  let answered = 0;
  for (let i = 1; i <= ROUNDS; i++) {
    const round = await stage.round();
    answered += round.answered;
    t.strictSame(round.violations, [], `round ${i}: ${JSON.stringify({ ...round, violations: undefined })}`);
  }
  t.ok(answered >= ROUNDS, `${answered} calls were answered`);
  t.strictSame(await stage.finish(), [], 'started again and stopped');

  const { home } = stage;
  const log = checkLog(home.path, home.origin);
  t.equal(log.torn, 0, 'a log that was closed has no torn end');
  t.equal(log.vouched, log.entries.length, 'and its checkpoint covers all of it');
  t.match(JSON.parse(await writ(home.path, 'lineage', 'verify')), { ok: true, size: log.entries.length });

  const gaps = log.entries.filter(({ type }) => type === 'gap');
  t.ok(gaps.length > 0, `a kill that left an unvouched end is an entry itself (${gaps.length})`);
  t.ok(
    gaps.some(({ is }) => (is.recovered ?? 0) > 0),
    'which says how many entries were recovered',
  );

  const lines = await writ(home.path, 'lineage', 'show', '--from', '0', '--limit', '1000000');
  const shown = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; outcome?: string });
  const open = openPermits(log);
  t.ok(open.length > 0, `${open.length} permits have no outcome`);
  t.strictSame(
    shown.flatMap(({ seq, outcome }) => (outcome === 'unknown' ? [seq] : [])),
    open,
  );
  const { stdout } = await run(process.execPath, [
    BIN,
    'lineage',
    'show',
    String(open[0]),
    '--home',
    home.path,
  ]);
  t.match(stdout, /outcome unknown/, 'and read so');
});

t.test('the checker finds what it looks for', async (t) => {
  const stage = await KillRounds.prepare(t, seeded(1));
  await stage.round();
  await stage.finish();
  const { home } = stage;
  const log = checkLog(home.path, home.origin);

  t.test('a flipped bit anywhere in the log', (t) => {
    const copy = t.testdir();
    cpSync(home.path, copy, { recursive: true });
    const segments = join(copy, 'lineage', 'segments');
    for (const name of readdirSync(segments)) {
      const path = join(segments, name);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at += 1009) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        writeFileSync(path, flipped);
        t.ok(isRefused(copy, home.origin), `${name}, byte ${at}`);
      }
      writeFileSync(path, bytes);
    }
    t.notOk(isRefused(copy, home.origin), 'and nothing, where nothing was changed');
    t.end();
  });

  t.test('what callers or origin saw and the log does not know', (t) => {
    const permit = log.entries.find(({ is }) => is.verdict === 'permit');
    const denial = log.entries.find(({ is }) => is.verdict === 'deny');
    if (!permit || !denial) throw new Error('there is no permit or no denial');
    const path = permit.is.call?.path ?? '';
    const told: Answer = { path, status: 200, id: permit.id, entry: permit.seq };
    const refused: Answer = {
      path: '/refused/1',
      status: 403,
      id: denial.id,
      entry: denial.seq,
      statement: denial.text,
    };
    const none = { arrived: [path], answers: [told, refused], earlier: log.entries.map(({ text }) => text) };
    t.strictSame(violations(log, none), []);

    const twice = '/once/1';
    const rows: [string, Partial<typeof none>, RegExp][] = [
      ['a request that arrived', { arrived: ['/call/none'] }, /received \/call\/none/],
      ['a use of a spent grant', { arrived: [twice, twice] }, /passed twice/],
      ['an answer without an entry', { answers: [{ ...told, entry: NaN }] }, /names no entry/],
      ['an answer with another’s entry', { answers: [{ ...told, entry: 0 }] }, /which is not there/],
      [
        'an answer beyond the end',
        { answers: [{ ...told, entry: log.entries.length }] },
        /which is not there/,
      ],
      ['another receipt', { answers: [{ ...refused, statement: '{}' }] }, /is not entry/],
      ['another head', { answers: [{ ...refused, head: { size: 1, root: '' } }] }, /is not this log/],
      ['an entry that was longer ago', { earlier: ['{}'] }, /entry 0 is not what it was/],
      ['an entry that is gone', { earlier: [...none.earlier, '{}'] }, /is not what it was/],
    ];
    for (const [name, change, wanted] of rows)
      t.match(violations(log, { ...none, ...change }).join('\n'), wanted, name);
    t.end();
  });
});

function isRefused(home: string, origin: string): boolean {
  try {
    checkLog(home, origin);
    return false;
  } catch {
    return true;
  }
}
