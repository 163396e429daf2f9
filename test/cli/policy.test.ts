import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missing, run } from '../e2e/program.ts';

t.setTimeout(300_000); // each command loads the compiler afresh

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const REGO = fileURLToPath(new URL('../../rego/', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(args: readonly string[], input = ''): Ran {
  return spawnSync(process.execPath, [BIN, 'policy', ...args], {
    encoding: 'utf8',
    input,
    env: { PATH: '' },
  });
}

const standard = join(REGO, 'default');

const tool = (name: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });

const toMcp = (body: string, ...more: readonly string[]): readonly string[] => [
  ...['eval', join(REGO, 'examples/mcp'), '--set', 'call.host=mcp.example.com', '--body', body, ...more],
];

t.test('each command answers 0, 1, 2 or 3', async (t) => {
  const folder = t.testdir({
    wrong: { 'main.rego': 'package policy\n\ndeny contains "a" if input.call.metod == "GET"\n' },
    failing: {
      'main.rego': 'package policy\n\ndeny contains "a" if input.call.port == 1\n',
      'main_test.rego': 'package policy_test\n\nimport data.policy\n\ntest_a if "a" in policy.deny\n',
    },
    untidy: { 'main.rego': 'package policy\ndeny contains "a" if input.call.port==1\n' },
    'no.json': '{',
    'two.json': `[${tool('search')},${tool('delete_file')}]`,
    'twice.json': '{"jsonrpc":"2.0","jsonrpc":"2.0"}',
  });
  const at = (name: string): string => join(folder, name);
  const rows: readonly (readonly [args: readonly string[], status: number, said: RegExp])[] = [
    [['check', standard], 0, /^ok/],
    [['check', at('wrong')], 1, /main\.rego:3:22: rego_type_error: undefined ref: input\.call\.metod/],
    [['check', at('nowhere')], 3, /cannot read .*nowhere/],
    [['check'], 2, /missing required argument/],
    [['test', standard, '--run', 'ticket', '--coverage'], 0, /2 passed[^]*policy\.rego +\d+ %/],
    [['test', at('failing')], 1, /main_test\.rego:5\n.*line 5: "a" in policy\.deny/],
    [['fmt', at('untidy')], 1, /^main\.rego\n$/],
    [['eval', standard, '--set', 'call.method=DELETE', '--set', 'grant.claims.ticket=OPS-7'], 0, /allow/],
    [
      ['eval', standard, '--set', 'call.method=DELETE', '--trace'],
      1,
      /^policy\.rego:7 .*Enter data\.policy\.deny/,
    ],
    [['eval', standard, '--input', '-', '--query', 'data.writ.decision.reasons'], 0, /input_incomplete/],
    [['eval', standard, '--input', at('no.json')], 2, /is not JSON/],
    [['eval', standard, '--input', at('none.json')], 3, /cannot read/],
    [['eval', standard, '--set', 'method'], 2, /write path=value/],
    [
      toMcp(at('two.json')),
      1,
      /message 1 of 2\ndecision +allow\nmessage 2 of 2\ndecision +deny\nreasons +tool_not_listed/,
    ],
    [toMcp(at('twice.json')), 1, /not asked\nrefused +content_unparsable: .*\nbecause +a member twice/],
    [toMcp('-', '--input', '-'), 2, /only one of/],
    [['build', standard], 2, /--out/],
    [['build', standard, '--out', at('x'), '--revision', 'a b'], 2, /visible ASCII/],
    [['build', at('wrong'), '--out', at('x')], 1, /rego_type_error/],
    [['build', standard, '--out', join(at('no.json'), 'x')], 3, /cannot write/],
  ];
  for (const [args, status, said] of rows) {
    const ran = writ(args, '{"call": {}}');
    t.equal(ran.status, status, args.join(' '), { ran });
    t.match(ran.stdout + ran.stderr, said, args.join(' '));
  }
});

t.test('a fault shows its line, and a caret under what is meant', async (t) => {
  const folder = t.testdir({
    'main.rego': 'package policy\n\ndeny contains "No" if {\n\tinput.call.port == 1\n}\n',
  });
  const lines = writ(['check', folder]).stdout.split('\n');
  t.strictSame(lines.slice(1, 3), ['  3 | deny contains "No" if {', '                    ^^^^']);
});

t.test('what is built from the default policy is what comes with Writ', async (t) => {
  const out = join(t.testdir(), 'bundle');
  const built = writ(['build', standard, '--out', out, '--json']);
  t.match(JSON.parse(built.stdout), { ok: true, entrypoint: 'writ/decision', content: [] });
  for (const name of ['policy.wasm', 'data.json', '.manifest'])
    t.ok(readFileSync(join(out, name)).equals(readFileSync(join(REGO, 'dist', name))), name);
});

t.test('every command prints JSON on request, also of what is wrong', async (t) => {
  const folder = t.testdir({ 'main.rego': 'package policy\n\nx := 1\n' });
  const rows: readonly (readonly [args: readonly string[], found: object])[] = [
    [['check', folder], { ok: false, faults: [{ code: 'policy_empty' }] }],
    [['test', standard], { ok: true, tests: [{ outcome: 'pass' }] }],
    [['eval', standard], { defined: true, values: [{ allow: true, reasons: [] }] }],
  ];
  for (const [args, found] of rows)
    t.match(JSON.parse(writ([...args, '--json']).stdout), found, args.join(' '));
});

t.test('fmt --write lays files out, and then there is nothing to do', async (t) => {
  const folder = t.testdir({ 'main.rego': 'package policy\ndeny contains "a" if input.call.port==1\n' });
  t.equal(writ(['fmt', folder, '--write']).status, 0);
  t.equal(
    readFileSync(join(folder, 'main.rego'), 'utf8'),
    'package policy\n\ndeny contains "a" if input.call.port == 1\n',
  );
  t.equal(writ(['fmt', folder]).status, 0);
});

t.test(
  'fmt --write puts each file into its place in one step, with the mode it had',
  { skip: missing('strace') },
  async (t) => {
    const untidy = 'package policy\ndeny contains "a" if input.call.port==1\n';
    const folder = t.testdir({
      policy: { 'linked.rego': t.fixture('symlink', '../elsewhere') },
      elsewhere: untidy,
    });
    const file = join(folder, 'elsewhere');
    chmodSync(file, 0o666);
    const format = [process.execPath, BIN, 'policy', 'fmt', join(folder, 'policy'), '--write'];
    const cut = ['-f', '-o', '/dev/null', '-e', 'inject=rename:signal=KILL', '-P', `${file}.tmp`];
    const killed = await run('strace', [...cut, ...format]);
    if (killed.stderr.startsWith('strace: '))
      return void t.pass(`nobody may be traced here: ${killed.stderr}`);
    t.equal(killed.exit, -1, killed.stderr);
    t.equal(readFileSync(file, 'utf8'), untidy, 'whole, and as it was');
    t.equal(writ(['fmt', join(folder, 'policy'), '--write']).status, 0);
    t.match(readFileSync(file, 'utf8'), 'port == 1');
    t.equal(statSync(file).mode & 0o777, 0o666);
    t.ok(lstatSync(join(folder, 'policy/linked.rego')).isSymbolicLink());
    t.strictSame(readdirSync(folder).sort(), ['elsewhere', 'policy']);
  },
);
