import t from 'tap';
import { Compiler } from '../../src/policy/compiler.ts';
import { Engine, engineLimits } from '../../src/policy/engine.ts';
import { bundleOf, defaultFiles, goodInput, handmade, manifest } from './bundle-files.ts';
import { bodies } from './wasm-module.ts';
import type { ModuleShape } from './wasm-module.ts';

async function engineOf(shape: ModuleShape, limits = {}, members = {}): Promise<Engine> {
  const opened = Engine.open(await handmade(shape, members), { ...engineLimits, ...limits });
  if (!opened.ok) throw new Error(opened.fault);
  return opened.engine;
}

function answerOf(engine: Engine, input = '{}'): unknown {
  const answer = engine.evaluate(input);
  return answer.ok ? answer.value : answer.code;
}

const result = (members: object): string =>
  JSON.stringify([{ result: { allow: true, reasons: [], obligations: [], ...members } }]);

const goodResult = result({}).slice(1, -1);

t.test('the default policy answers through opa-wasm', async (t) => {
  const opened = Engine.open(await bundleOf(await defaultFiles()));
  if (!opened.ok) throw new Error(opened.fault);
  const answer = opened.engine.evaluate(goodInput);
  t.match(answer, { ok: true, value: { allow: true, reasons: [] } });
  t.match(
    opened.engine.evaluate('{}'),
    { ok: true, value: { allow: false } },
    'and an empty input is refused',
  );
});

t.test('an answer of another shape than the one is a denial', async (t) => {
  const many = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `r${String(i).padStart(2, '0')}`);
  const refusals: readonly (readonly [name: string, answer: string, code: string])[] = [
    ['undefined', '[]', 'policy_undefined'],
    ['no list', '{}', 'policy_malformed'],
    ['null', 'null', 'policy_malformed'],
    ['not JSON', '[{', 'policy_failed'],
    ['65,536 bytes', result({ reasons: ['a'.repeat(65536 - goodResult.length - 4)] }), 'policy_failed'],
    ['65,535 bytes', result({ reasons: ['a'.repeat(65535 - goodResult.length - 4)] }), 'policy_malformed'],
    ['two results', `[${goodResult},${goodResult}]`, 'policy_malformed'],
    ['a result with another member', '[{"result":{},"more":1}]', 'policy_malformed'],
    ['a good result with another member', `[${goodResult.slice(0, -1)},"more":1}]`, 'policy_malformed'],
    ['a result without its value', '[{}]', 'policy_malformed'],
    ['the text true', '[{"result":"true"}]', 'policy_malformed'],
    ['a bare true', '[{"result":true}]', 'policy_malformed'],
    ['a number', '[{"result":1}]', 'policy_malformed'],
    ['null for a decision', '[{"result":null}]', 'policy_malformed'],
    ['a list for a decision', '[{"result":[]}]', 'policy_malformed'],
    ['an empty object', '[{"result":{}}]', 'policy_malformed'],
    ['no obligations', '[{"result":{"allow":true,"reasons":[]}}]', 'policy_malformed'],
    ['an unknown member', result({ more: 1 }), 'policy_malformed'],
    ['allow as text', result({ allow: 'true' }), 'policy_malformed'],
    ['allow as a number', result({ allow: 1 }), 'policy_malformed'],
    ['allow with a reason', result({ reasons: ['a'] }), 'policy_malformed'],
    ['reasons as text', result({ reasons: 'a' }), 'policy_malformed'],
    ['a reason that is no name', result({ allow: false, reasons: ['Über'] }), 'policy_malformed'],
    ['an empty reason', result({ allow: false, reasons: [''] }), 'policy_malformed'],
    ['a reason of 65', result({ allow: false, reasons: ['a'.repeat(65)] }), 'policy_malformed'],
    ['a reason with a line end', result({ allow: false, reasons: ['a\n'] }), 'policy_malformed'],
    ['a reason that is no text', result({ allow: false, reasons: [1] }), 'policy_malformed'],
    ['one reason twice', result({ allow: false, reasons: ['a', 'a'] }), 'policy_malformed'],
    ['17 reasons', result({ allow: false, reasons: many(17) }), 'policy_malformed'],
    ['obligations as an object', result({ obligations: {} }), 'policy_obligation'],
    ['an unknown obligation', result({ obligations: [{ type: 'log_it', value: 1 }] }), 'policy_obligation'],
    [
      'an inherited obligation',
      result({ obligations: [{ type: '__proto__', value: 1 }] }),
      'policy_obligation',
    ],
    ['no value', result({ obligations: [{ type: 'max_seconds' }] }), 'policy_obligation'],
    ['a value of 0', result({ obligations: [{ type: 'max_seconds', value: 0 }] }), 'policy_obligation'],
    ['a value below 0', result({ obligations: [{ type: 'max_seconds', value: -1 }] }), 'policy_obligation'],
    ['half a value', result({ obligations: [{ type: 'max_seconds', value: 0.5 }] }), 'policy_obligation'],
    ['a value as text', result({ obligations: [{ type: 'max_seconds', value: '1' }] }), 'policy_obligation'],
    [
      'an unsafe value',
      result({ obligations: [{ type: 'max_seconds', value: 2 ** 53 }] }),
      'policy_obligation',
    ],
    [
      'one member more',
      result({ obligations: [{ type: 'max_seconds', value: 1, x: 1 }] }),
      'policy_obligation',
    ],
    ['an obligation as text', result({ obligations: ['max_seconds'] }), 'policy_obligation'],
  ];
  for (const [name, answer, code] of refusals) t.equal(answerOf(await engineOf({ answer })), code, name);
});

t.test('reasons and obligations come out sorted', async (t) => {
  const obligations = [
    { value: 9, type: 'max_seconds' },
    { type: 'max_response_bytes', value: 7 },
    { type: 'max_request_bytes', value: 5 },
    { type: 'max_seconds', value: 3 },
  ];
  const engine = await engineOf({
    answer: result({ allow: false, reasons: ['b', 'a.1', 'a_2'], obligations }),
  });
  t.strictSame(answerOf(engine), {
    allow: false,
    reasons: ['a.1', 'a_2', 'b'],
    obligations: [
      { type: 'max_request_bytes', value: 5 },
      { type: 'max_response_bytes', value: 7 },
      { type: 'max_seconds', value: 3 },
      { type: 'max_seconds', value: 9 },
    ],
  });
});

t.test('16 reasons are not too many', async (t) => {
  const reasons = Array.from({ length: 16 }, (_, i) => `r${i}`);
  t.match(answerOf(await engineOf({ answer: result({ allow: false, reasons }) })), { allow: false });
});

t.test('an evaluation that breaks off is a denial, and the next one starts afresh', async (t) => {
  const refusals: readonly (readonly [name: string, shape: ModuleShape])[] = [
    ['a trap', { evaluate: bodies.trapOn('!') }],
    ['an abort, which opa-wasm throws as a string', { evaluate: bodies.abort }],
    ['memory beyond the cap', { evaluate: bodies.grow(2 ** 15) }],
  ];
  for (const [name, shape] of refusals) t.equal(answerOf(await engineOf(shape), '!'), 'policy_failed', name);
  const engine = await engineOf({ evaluate: bodies.trapOn('!'), laterAnswer: '[]' });
  t.match(answerOf(engine), { allow: true });
  t.equal(answerOf(engine, '!'), 'policy_failed');
  t.match(answerOf(engine), { allow: true }, 'on a new instance');
  t.equal(answerOf(engine), 'policy_undefined', 'which then goes on being used');
});

t.test('input bytes that the module cannot parse are never an undefined input', async (t) => {
  const opened = Engine.open(await bundleOf(await defaultFiles()));
  if (!opened.ok) throw new Error(opened.fault);
  for (const input of ['', '{', 'nonsense', '{"a":01}', '{"a":"\\ud800"}', goodInput.slice(0, -1)])
    t.equal(answerOf(opened.engine, input), 'policy_failed', JSON.stringify(input.slice(0, 20)));
});

t.test('an instance is replaced', async (t) => {
  const spent = await engineOf({ laterAnswer: '[]' }, { evaluations: 1 });
  t.match([answerOf(spent), answerOf(spent)], [{ allow: true }, { allow: true }], 'after its evaluations');
  const grown = await engineOf({ evaluate: bodies.grow(2), laterAnswer: '[]' }, { growthBytes: 65536 });
  t.match([answerOf(grown), answerOf(grown)], [{ allow: true }, { allow: true }], 'after it has grown');
  const kept = await engineOf({ evaluate: bodies.grow(1), laterAnswer: '[]' }, { growthBytes: 65536 });
  t.match([answerOf(kept), answerOf(kept)], [{ allow: true }, 'policy_undefined'], 'and not before');
});

t.test('input over the limit is a denial, counted in UTF-8', async (t) => {
  const engine = await engineOf({}, { inputBytes: 10 });
  t.match(answerOf(engine, '"12345678"'), { allow: true });
  t.equal(answerOf(engine, '"123456789"'), 'policy_input_too_large');
  t.equal(answerOf(engine, '"1234567ä"'), 'policy_input_too_large');
  t.equal(answerOf(await engineOf({}), `"${'x'.repeat(10 * 2 ** 20)}"`), 'policy_input_too_large', '10 MiB');
});

t.test('a policy that reads content is not asked about content that was not parsed', async (t) => {
  const engine = await engineOf({}, {}, { content: ['json'] });
  const about = (state: unknown): unknown =>
    answerOf(engine, JSON.stringify({ call: { content: { state } } }));
  for (const state of ['none', 'parsed']) t.match(about(state), { allow: true }, state);
  for (const state of ['unread', 'unparsable', 'too_large', undefined, 1])
    t.equal(about(state), 'policy_content_unread', String(state));
  for (const input of ['{}', 'null', '1', 'x', '{"call":null}', '{"call":{"content":null}}'])
    t.equal(answerOf(engine, input), 'policy_content_unread', input);
});

t.test('what only an instance can tell is told at load', async (t) => {
  const refusals: readonly (readonly [name: string, shape: ModuleShape, words: RegExp])[] = [
    ['another major ABI', { major: 2 }, /ABI version 2/],
    ['an older minor ABI', { minor: 1 }, /ABI 1\.1, not 1\.2/],
    ['no entrypoint', { entrypoints: '{}' }, /no entrypoint writ\/decision/],
    ['another entrypoint', { entrypoints: '{"writ":0}' }, /no entrypoint writ\/decision/],
    ['an entrypoint by inheritance', { entrypoints: '{"__proto__":{"writ/decision":0}}' }, /no entrypoint/],
    ['entrypoints that are not JSON', { entrypoints: '{' }, /cannot be loaded/],
    ['a builtin that is not lent', { builtins: '{"no.such":1}' }, /builtin no\.such/],
    ['a start function that traps', { start: [0x00] }, /unreachable/],
    ['data that it cannot parse', { parsed: 0 }, /failed to parse json/],
    ...['time.now_ns', 'rand.intn', 'http.send', 'uuid.rfc4122', 'opa.runtime', 'net.lookup_ip_addr'].map(
      (name) => [name, { builtins: JSON.stringify({ [name]: 1 }) }, /which policies are not given/] as const,
    ),
  ];
  for (const [name, shape, words] of refusals)
    t.match(Engine.open(await handmade(shape)), { ok: false, fault: words }, name);
});

t.test('data that does not fit is told at load', async (t) => {
  const parts = {
    ...(await defaultFiles()),
    'data.json': Buffer.from(JSON.stringify({ x: 'x'.repeat(2 ** 20) })),
  };
  const files = { ...parts, '.manifest': manifest({}, parts) };
  const opened = Engine.open(await bundleOf(files), { ...engineLimits, memoryBytes: 2 ** 20 });
  t.match(opened, { ok: false, fault: /cannot be loaded/ });
});

t.test('rules compiled by the real OPA', async (t) => {
  const compiler = new Compiler();
  t.teardown(() => compiler.close());
  const build = async (rules: string, limits = {}): Promise<Engine> => {
    const text = `package writ\n\nimport rego.v1\n\n${rules}\n`;
    const built = await compiler.build({ files: { 'writ/decision.rego': text } }, ['writ/decision']);
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    const parts = { 'policy.wasm': built.value.wasm, 'data.json': built.value.data };
    const files = { ...parts, '.manifest': manifest({}, parts) };
    const opened = Engine.open(await bundleOf(files), { ...engineLimits, ...limits });
    if (!opened.ok) throw new Error(opened.fault);
    return opened.engine;
  };
  const allowed = '{"allow": true, "reasons": set(), "obligations": set()}';

  t.test('an undefined decision is a denial', async (t) => {
    const engine = await build(`decision := ${allowed} if input.yes`);
    t.match(answerOf(engine, '{"yes":true}'), { allow: true });
    t.equal(answerOf(engine, '{"yes":false}'), 'policy_undefined');
    t.equal(answerOf(engine, '{}'), 'policy_undefined');
  });

  t.test('two values for one rule are a denial', async (t) => {
    const engine = await build(`decision := ${allowed}\n\ndecision := 1 if input.two`);
    t.match(answerOf(engine, '{}'), { allow: true });
    t.equal(answerOf(engine, '{"two":true}'), 'policy_failed');
    t.match(answerOf(engine, '{}'), { allow: true });
  });

  t.test('memory at its cap is a denial, and the next evaluation has it back', async (t) => {
    const rules = `decision := ${allowed} if count([i | some i in numbers.range(1, input.n)]) > 0`;
    const engine = await build(rules, { memoryBytes: 4 * 2 ** 20 });
    t.match(answerOf(engine, '{"n":10}'), { allow: true });
    t.equal(answerOf(engine, '{"n":1000000}'), 'policy_failed');
    t.match(answerOf(engine, '{"n":10}'), { allow: true });
  });

  t.test('names that mean something to JavaScript are ordinary members', async (t) => {
    const engine = await build(
      `decision := ${allowed} if { input.query["__proto__"] == ["1"]; input.query["constructor"] == ["2"]; not input.query["toString"] }`,
    );
    t.match(answerOf(engine, '{"query":{"__proto__":["1"],"constructor":["2"]}}'), { allow: true });
  });

  t.test('a NUL inside a text ends nothing', async (t) => {
    const engine = await build(`decision := ${allowed} if input.a == "x\\u0000y"`);
    t.match(answerOf(engine, JSON.stringify({ a: 'x\u0000y' })), { allow: true });
    t.equal(answerOf(engine, JSON.stringify({ a: 'x' })), 'policy_undefined');
  });

  t.test('a throwing builtin of the host is a denial', async (t) => {
    const engine = await build(`decision := ${allowed} if sprintf("%z", [input.x]) != ""`);
    t.equal(answerOf(engine, '{"x":1}'), 'policy_failed');
  });
});
