/** What authors test (OPA's own evaluator) is what decides calls (WASM under opa-wasm): same inputs, same answers. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import {
  buildBundle,
  decisionQuery,
  regoFolder,
  sampleInput,
  withBasePolicy,
} from '../../src/policy/build.ts';
import { readBundle } from '../../src/policy/bundle.ts';
import { Compiler, type PolicyFiles } from '../../src/policy/compiler.ts';
import { Engine } from '../../src/policy/engine.ts';
import { readPolicyFolder } from '../../src/policy/source.ts';

const compiler = new Compiler();
t.teardown(() => compiler.close());

type Change = readonly [path: string, value: unknown];

/** Ways in which a call may differ from the sample; `undefined` takes a member away. */
const changes: readonly (readonly Change[])[] = [
  [],
  [['call.method', 'DELETE']],
  [
    ['call.method', 'DELETE'],
    ['grant.claims', { ticket: 'OPS-7' }],
  ],
  [
    ['call.method', 'PATCH'],
    ['time.weekday', 1],
    ['time.hour', 12],
  ],
  [['call.host', 'api.github.com']],
  [['call.headers', { 'x-force': ['false', 'true'] }]],
  [['call.content', { state: 'unparsable' }]],
  [['call.content', { state: 'unread' }]],
  [['call.content', { state: 'half' }]],
  [['trust.state', 'drifted']],
  [['trust', undefined]],
  [['grant', undefined]],
  [['call', undefined]],
  ...[
    null,
    {},
    [],
    'gpt-5',
    { model: 'gpt-5', max_tokens: 1 },
    { model: ['gpt-5'] },
    { model: 'gpt-5', max_tokens: '1' },
  ].map((json): readonly Change[] => [
    ['call.host', 'api.openai.com'],
    ['call.method', 'POST'],
    ['call.content', { state: 'parsed', json }],
  ]),
];

function changed(input: unknown, [path, value]: Change): unknown {
  const [name = '', ...rest] = path.split('.');
  const object: Record<string, unknown> = typeof input === 'object' && input !== null ? { ...input } : {};
  if (rest.length > 0) object[name] = changed(object[name], [rest.join('.'), value]);
  else object[name] = value;
  return object;
}

async function engineFor(files: PolicyFiles): Promise<Engine> {
  const built = await buildBundle(compiler, files);
  if (!built.ok) throw new Error('does not compile');
  const loaded = await readBundle(built.value.files);
  if (!loaded.ok) throw new Error(loaded.fault);
  const opened = Engine.open(loaded.bundle);
  if (!opened.ok) throw new Error(opened.fault);
  return opened.engine;
}

for (const folder of ['default', ...readdirSync(`${regoFolder}examples`).map((name) => `examples/${name}`)]) {
  t.test(`rego/${folder} decides in WASM as it does under test`, async (t) => {
    const files = await readPolicyFolder(`${regoFolder}${folder}`);
    const engine = await engineFor(files);
    const source = await withBasePolicy(files);
    const sample = await sampleInput(compiler);
    for (const change of changes) {
      const input = change.reduce(changed, sample);
      const expected = await compiler.evaluate(source, { query: decisionQuery, input });
      const decided = expected.ok ? expected.value.values[0] : undefined;
      const answer = engine.evaluate(JSON.stringify(input));
      if (answer.ok) t.strictSame(answer.value, decided, JSON.stringify(change));
      else t.match(decided, { allow: false }, `${answer.code} without asking: ${JSON.stringify(change)}`);
    }
  });
}
