/** Decisions of a real sidecar, evaluated again from what it kept. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { layoutOf } from '../../src/lineage/layout.ts';
import { serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import type { TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { compiled, PLAYGROUND } from './policies.ts';
import { run } from './program.ts';
import type { Ended } from './program.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const STRICTER = {
  'stricter.rego': `package policy

deny contains "not_on_my_watch" if input.call.segments[0] == "fine"

obligation contains {"type": "max_seconds", "value": 2} if input.call.segments[0] == "one-second"
`,
};
/** What the playground answers: allow, deny, an unknown obligation, a limit; and names that JSON treats in its own way. */
const TARGETS = ['/fine', '/teapot', '/paint-it', '/one-second', '/fine?2=b&1=a&__proto__=x&%C3%BC=%00'];

async function stage(t: Test, inputs: 'keep' | 'digest' = 'keep'): Promise<Stage> {
  const origin = await startOrigin(t);
  const policy = { bundle: await compiled(PLAYGROUND) };
  return new Stage(await serve(t, { origins: [origin], settings: { policy, lineage: { inputs } } }), origin);
}

/** Calls each target, and one without a grant, for which no policy is asked. */
async function callAll(on: Stage): Promise<void> {
  for (const path of TARGETS) await on.forward({ path });
  await on.forward({ path: '/fine', grant: '' });
}

/** Runs the command; what it printed as text, not as octets. */
async function replay(home: TestHome, ...flags: readonly string[]): Promise<Ended> {
  const ended = await run(process.execPath, [BIN, 'lineage', 'replay', '--home', home.path, ...flags]);
  return { ...ended, stdout: Buffer.from(ended.stdout, 'latin1').toString() };
}

const lines = ({ stdout }: Ended): readonly unknown[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

t.test('by the recorded policies every decision comes out the same, to the digest', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  await callAll(on);
  home.configure({ policy: { bundle: await compiled(STRICTER) } });
  t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  await callAll(on);
  t.match(await on.sidecar.stop(), { code: 0 });

  const again = await replay(home, '--json');
  t.equal(again.exit, 0, again.stderr);
  t.match(lines(again).at(-1), {
    summary: { decisions: 10, same: 10, different: 0, 'material missing': 0, masked: 0 },
  });
  t.match(await replay(home), { exit: 0, stdout: /^decisions +10\nsame +10\ndifferent +0\n/ });
  t.match(await replay(home, '--verdict', 'deny'), { exit: 0, stdout: /^decisions +4\n/ });

  const [inputs] = readdirSync(layoutOf(home.path).inputs);
  t.equal(statSync(join(layoutOf(home.path).inputs, inputs ?? '')).mode & 0o777, 0o600);
});

t.test('another policy’s decisions are told apart, and how they differ', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  await callAll(on);
  t.match(await on.sidecar.stop(), { code: 0 });
  const other = await replay(home, '--policy', await compiled(STRICTER));
  t.equal(other.exit, 1);
  const said = other.stdout;
  t.match(
    said,
    /entry \d+ {2}2.* permit {2}GET http:\/\/127\.0\.0\.1:\d+\/fine {2}agent:test\n {4}verdict +allow → deny\n {4}reasons +\+not_on_my_watch\n/,
  );
  t.match(said, /\/teapot {2}agent:test\n {4}verdict +deny → allow\n {4}reasons +−no_teapots\n/);
  t.match(said, /\/paint-it .*\n {4}verdict +policy_obligation → allow\n/);
  t.match(said, /\/one-second .*\n {4}obligations +−max_seconds 1 {2}\+max_seconds 2\n/);
  t.match(said, /\ndecisions +5\nsame +0\ndifferent +5\n/);
  const same = await replay(home, '--policy', await compiled(PLAYGROUND));
  t.match(same, { exit: 0, stdout: /same +5\n/ });
});

t.test('without the material nothing is claimed', async (t) => {
  const on = await stage(t);
  const { home } = on.sidecar;
  await callAll(on);
  t.match(await on.sidecar.stop(), { code: 0 });
  const { inputs } = layoutOf(home.path);
  const whole = join(home.folder, 'whole');
  cpSync(inputs, whole, { recursive: true });
  const path = join(inputs, readdirSync(inputs)[0] ?? '');
  const text = readFileSync(path, 'utf8');

  writeFileSync(path, text.replace('"method":"GET"', '"method":"PUT"'));
  const changed = await replay(home);
  t.match(changed, { exit: 0, stdout: /same +4\ndifferent +0\nmaterial missing +1\n/ }, 'a changed input');
  rmSync(inputs, { recursive: true });
  const none = await replay(home);
  t.match(
    none,
    { exit: 3, stdout: /same +0\ndifferent +0\nmaterial missing +5\n[^]*5 × the input was not kept/ },
    'none',
  );
  cpSync(whole, inputs, { recursive: true });

  const kept = home.layout.policies;
  const folders = readdirSync(kept).filter((name) => /^[0-9a-f]{64}$/.test(name));
  t.equal(folders.length, 2, 'the first policy of the home, and the one that decided');
  for (const folder of folders) writeFileSync(join(kept, folder, 'data.json'), '{"numbers":[]}');
  t.match(await replay(home), {
    exit: 3,
    stdout: /material missing +5\n[^]*5 × policy \S+ is not kept as it was: \.manifest is of other files/,
  });
  for (const folder of folders) rmSync(join(kept, folder), { recursive: true });
  t.match(await replay(home), { exit: 3, stdout: /5 × policy \S+ is not kept as it was: / });
  t.match(await replay(home, '--policy', join(home.folder, 'nothing')), { exit: 3, stderr: /is missing/ });
});

t.test('by default only digests are kept', async (t) => {
  const on = await stage(t, 'digest');
  await callAll(on);
  t.match(await on.sidecar.stop(), { code: 0 });
  t.notOk(existsSync(layoutOf(on.sidecar.home.path).inputs));
  t.match(await replay(on.sidecar.home), { exit: 3, stdout: /material missing +5\n/ });
});
