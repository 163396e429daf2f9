import t from 'tap';
import { withBasePolicy } from '../../src/policy/build.ts';
import type { PolicyFiles } from '../../src/policy/compiler.ts';
import { compiler, faultsOf, policy, type FaultRow } from './check.ts';

t.teardown(() => compiler.close());

const get = 'input.call.method == "GET"';

const evaluation: readonly FaultRow[] = [
  ['a syntax error', policy('deny contains "a" if {'), ['main.rego:4 rego_parse_error']],
  [
    'a path outside the input',
    policy('deny contains "a" if input.call.metod == "GET"'),
    ['main.rego:3 rego_type_error'],
  ],
  [
    'a path outside it behind an alias',
    { 'main.rego': 'package policy\nimport input.call as c\ndeny contains "a" if c.metod == "GET"' },
    ['main.rego:3 rego_type_error'],
  ],
  [
    'a schema that the author widens',
    {
      'main.rego':
        '# METADATA\n# scope: package\n# schemas:\n#   - input: {type: object}\npackage policy\ndeny contains "a" if input.metod == 1',
    },
    ['main.rego:6 rego_type_error'],
  ],
  [
    'a comparison across types',
    policy('deny contains "a" if input.call.port == "443"'),
    ['main.rego:3 rego_type_error'],
  ],
  [
    'a header compared as one string',
    policy('deny contains "a" if input.call.headers["x-a"] == "b"'),
    ['main.rego:3 never_equal'],
  ],
  [
    'a name looked for among values',
    policy('deny contains "a" if "x-a" in input.call.headers'),
    ['main.rego:3 never_equal'],
  ],
  [
    'an unused variable',
    policy(`deny contains "a" if {\n\tx := 1\n\t${get}\n}`),
    ['main.rego:4 rego_compile_error'],
  ],
  ['a clock', policy('deny contains "a" if time.now_ns() > 1'), ['main.rego:3 rego_type_error']],
  [
    'a call out',
    policy('deny contains "a" if http.send({"method": "get", "url": "http://a"}).status_code == 200'),
    ['main.rego:3 rego_type_error'],
  ],
  ['chance', policy('deny contains "a" if rand.intn("a", 2) == 1'), ['main.rego:3 rego_type_error']],
  [
    'another input',
    policy(`deny contains "a" if other with input as {}\nother if ${get}`),
    ['main.rego:3 with_outside_test'],
  ],
  [
    'to_number in a deny',
    policy('deny contains "a" if to_number(input.grant.claims.n) > 3'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'to_number below a deny',
    policy('big if to_number(input.grant.claims.n) > 3\ndeny contains "a" if big'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'to_number in a library',
    {
      ...policy('deny contains "a" if data.lib.n.big(input.grant.claims)'),
      'n.rego': 'package lib.n\nbig(claims) if to_number(claims.n) > 3',
    },
    ['n.rego:2 builtin_can_fail'],
  ],
  [
    'to_number in a comprehension of a guarded function',
    policy(
      'default n(_) := 0\nn(c) := count([1 | to_number(c.n) > 3])\ndeny contains "a" if n(input.grant.claims) > 0',
    ),
    ['main.rego:4 builtin_can_fail'],
  ],
  [
    'to_number in an obligation',
    policy(
      `deny contains "a" if ${get}\nobligation contains {"type": "max_seconds", "value": to_number(input.grant.claims.n)}`,
    ),
    ['main.rego:4 builtin_can_fail'],
  ],
  [
    'to_number in an else',
    policy(`k := 1 if ${get} else := to_number(input.grant.claims.n)\ndeny contains "a" if k == 3`),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'to_number in every',
    policy('deny contains "a" if every s in input.call.segments { to_number(s) > 1 }'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a string builtin on the body',
    policy('deny contains "a" if startswith(input.call.content.json.model, "g")'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a string builtin on the body, in a helper',
    policy('g(m) if startswith(m, "g")\ndeny contains "a" if g(input.call.content.json.model)'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a pattern that is no pattern',
    policy('deny contains "a" if regex.match("^a(", input.call.path)'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a pattern that comes in',
    policy('deny contains "a" if regex.match(input.grant.claims.p, input.call.path)'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a division by what may be nothing',
    policy('deny contains "a" if 10 / input.time.hour > 1'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'mixed data under a string builtin',
    {
      ...policy('deny contains "a" if {\n\tsome h in data.hosts\n\tendswith(input.call.host, h)\n}'),
      'data.json': '{"hosts":["a",1]}',
    },
    ['main.rego:5 builtin_can_fail'],
  ],
  [
    'a network around a name',
    policy('deny contains "a" if net.cidr_contains("10.0.0.0/8", input.call.host)'),
    ['main.rego:3 builtin_can_fail'],
  ],
  [
    'a default that is not reached',
    policy('default n(_) := 9\nn(x) := to_number(x)\ndeny contains "a" if n(input.grant.claims.n) > 3'),
    ['main.rego:5 default_unreached'],
  ],
  [
    'a not that is not reached',
    policy('deny contains "a" if not "b" in input.call.headers["x-a"]'),
    ['main.rego:3 not_unreached'],
  ],
  [
    'a not around a lookup of what may be missing',
    {
      ...policy('deny contains "a" if not data.ok[input.grant.claims.team]'),
      'data.json': '{"ok":{"x":true}}',
    },
    ['main.rego:3 not_unreached'],
  ],
  [
    'a not around nested calls',
    policy('deny contains "a" if not startswith(lower(input.grant.claims.n), "a")'),
    ['main.rego:3 not_unreached'],
  ],
  [
    '!= on what may be missing',
    policy('deny contains "a" if input.grant.claims.tier != "gold"'),
    ['main.rego:3 missing_passes'],
  ],
  [
    '!= on a lookup that may find nothing',
    { ...policy('deny contains "a" if data.m[input.call.host] != 3'), 'data.json': '{"m":{"a":1}}' },
    ['main.rego:3 missing_passes'],
  ],
  [
    'a reason that may not be found',
    { ...policy('deny contains data.m[input.call.method]'), 'data.json': '{"m":{"GET":"a"}}' },
    ['main.rego:3 missing_passes'],
  ],
];

t.test('a rule that would fail open is refused', async (t) => {
  for (const [name, files, faults] of evaluation) t.strictSame(await faultsOf(files), faults, name);
});

const good: readonly (readonly [name: string, files: PolicyFiles])[] = [
  ['plain rules', policy(`deny contains "a" if ${get}`)],
  ['import rego.v1', { 'main.rego': `package policy\nimport rego.v1\ndeny contains "a" if ${get}` }],
  ['string builtins on strings', policy('deny contains "a" if startswith(lower(input.call.path), "/a")')],
  [
    'headers and queries as arrays',
    policy(
      'deny contains "a" if {\n\tsome h in input.call.headers["x-a"]\n\tstartswith(h, "b")\n}\ndeny contains "b" if "x" in input.call.query.q',
    ),
  ],
  [
    'helpers that are only called with strings',
    policy('api(host) if startswith(host, "api.")\ndeny contains "a" if api(input.call.host)'),
  ],
  [
    'a function with a default, given what holds the value',
    policy(
      'default n(_) := 99\nn(claims) := to_number(claims.n)\ndeny contains "a" if n(input.grant.claims) > 3',
    ),
  ],
  [
    'object.get with a fallback of the right type',
    policy('deny contains "a" if startswith(object.get(input.grant.claims, "t", ""), "x")'),
  ],
  [
    'a pattern that is written out',
    policy('deny contains "a" if regex.match(`^/v[0-9]+/`, input.call.path)'),
  ],
  [
    'a glob that is written out',
    policy('deny contains "a" if not glob.match("*.example.com", ["."], input.call.host)'),
  ],
  [
    'data lookups',
    {
      ...policy('deny contains "a" if not data.hosts[input.call.host]'),
      'data.json': '{"hosts":{"a":true}}',
    },
  ],
  [
    'data below its folder',
    {
      ...policy('deny contains "a" if not data.known.hosts[input.call.host]'),
      'known/data.yaml': 'hosts:\n  a: true\n',
    },
  ],
  [
    'not in front of a rule of its own',
    policy('marked if "b" in input.call.headers["x-a"]\ndeny contains "a" if not marked'),
  ],
  ['not == on what may be missing', policy('deny contains "a" if not input.grant.claims.tier == "gold"')],
  [
    '!= on what was asked for before',
    policy('deny contains "a" if {\n\tinput.grant.claims.tier\n\tinput.grant.claims.tier != "gold"\n}'),
  ],
  ['allow alone', policy(`default allow := false\nallow if ${get}`)],
  [
    'a failing builtin directly in a defaulted allow',
    policy('default allow := false\nallow if to_number(input.grant.claims.n) > 1'),
  ],
  ['print', policy(`deny contains "a" if {\n\tprint(input.call.host)\n\t${get}\n}`)],
  [
    'every, walk, comprehensions',
    policy(
      'deny contains "a" if every s in input.call.segments { startswith(s, "a") }\ndeny contains "b" if count([s | some s in input.call.segments; s == "x"]) > 1',
    ),
  ],
  [
    'reasons from a list',
    {
      ...policy(
        'deny contains reason if some reason in data.m\ndeny contains object.get(data.m, input.call.method, "other")',
      ),
      'data.json': '{"m":{"GET":"a"}}',
    },
  ],
];

t.test('what cannot fail open compiles', async (t) => {
  for (const [name, files] of good) t.strictSame(await faultsOf(files), [], name);
});

const all = ['form', 'json', 'kind', 'llm', 'mcp', 'multipart'];

const functions = [
  'f(c) if c.method == "GET"',
  'model(c) if c.llm.model == "a"',
  'twice(c) if model(c)',
  'whole(c) if count(object.keys(c)) == 2',
].join('\n\n');

t.test('a policy needs the body exactly where a rule may see it', async (t) => {
  const rows: readonly (readonly [name: string, text: string, content: readonly string[]])[] = [
    ['no mention', get, []],
    ['its state only', 'input.call.content.state == "none"', []],
    ['an alias of the call', 'c := input.call\n\tc.method == "GET"', []],
    ['the body', 'input.call.content.json.a == 1', ['json']],
    ['the body behind an alias', 'c := input.call\n\tc.content.json.a == 1', ['json']],
    ['any member', 'some k\n\tinput.call[k] == "GET"', all],
    ['all of it', 'count(object.keys(input)) == 4', all],
    ['a function that gets the call', 'f(input.call)', all],
    ['two members', 'input.call.content.mcp.tool == input.call.content.llm.model', ['llm', 'mcp']],
    ['all content', 'count(input.call.content) == 1', all],
    ['any content', 'some k\n\tinput.call.content[k].a == 1', all],
    ['a function that takes one member of it', 'model(input.call.content)', ['llm']],
    ['that function by way of another', 'twice(input.call.content)', ['llm']],
    ['a function that hands on all of it', 'whole(input.call.content)', all],
  ];
  for (const [name, body, content] of rows) {
    const files = policy(`${functions}\n\ndeny contains "a" if {\n\t${body}\n}`);
    const checked = await compiler.check(await withBasePolicy(files));
    t.strictSame(checked, { ok: true, value: { allow: false, content } }, name);
  }
});
