import t from 'tap';
import { compiler, faultsOf, policy, type FaultRow } from './check.ts';

t.teardown(() => compiler.close());

const get = 'input.call.method == "GET"';

const layout: readonly FaultRow[] = [
  ['an empty folder', {}, [':0 policy_empty']],
  ['a folder without deny or allow', policy('helper := 1'), [':0 policy_empty']],
  ['only tests', { 'a_test.rego': 'package policy_test\ntest_a if true' }, [':0 policy_empty']],
  [
    'a deny in a subpackage',
    { ...policy(`deny contains "a" if ${get}`), 'b.rego': `package policy.b\ndeny contains "b" if ${get}` },
    ['b.rego:2 answer_elsewhere'],
  ],
  [
    'a deny below another name',
    policy(`deny contains "a" if ${get}\nsub.deny contains "b" if ${get}`),
    ['main.rego:4 answer_elsewhere'],
  ],
  [
    'an allow in a library',
    { ...policy(`deny contains "a" if ${get}`), 'l.rego': `package lib.l\nallow if ${get}` },
    ['l.rego:2 answer_elsewhere'],
  ],
  [
    'an obligation in a library',
    { ...policy(`deny contains "a" if ${get}`), 'l.rego': 'package lib.l\nobligation contains {}' },
    ['l.rego:2 answer_elsewhere'],
  ],
  [
    'a package outside',
    { ...policy(`deny contains "a" if ${get}`), 'x.rego': 'package example\nx := 1' },
    ['x.rego:1 package_outside'],
  ],
  [
    'a package named as the base',
    { ...policy(`deny contains "a" if ${get}`), 'x.rego': 'package writ\ndecision := {"allow": true}' },
    ['x.rego:1 package_outside'],
  ],
  [
    'lib without a name',
    { ...policy(`deny contains "a" if ${get}`), 'x.rego': 'package lib\nx := 1' },
    ['x.rego:1 package_outside'],
  ],
  [
    'a file where the base lies',
    {
      ...policy(`deny contains "a" if ${get}`),
      'writ/needs.rego': `package policy\ndeny contains "b" if ${get}`,
    },
    ['writ/needs.rego:0 path_reserved'],
  ],
  [
    'a deny in a file that is not compiled',
    {
      ...policy(`deny contains "a" if ${get}`),
      'b_test.rego': `package policy\ndeny contains "b" if ${get}`,
    },
    ['b_test.rego:2 answer_in_test'],
  ],
  ['deny as a boolean', policy(`deny if ${get}`), ['main.rego:3 answer_shape']],
  ['deny as a map', policy(`deny[x] := 1 if x := input.call.host`), ['main.rego:3 answer_shape']],
  [
    'a default deny',
    policy(`default deny := false\ndeny if ${get}`),
    ['main.rego:3 answer_shape', 'main.rego:4 answer_shape'],
  ],
  ['allow as a set', policy(`allow contains "a" if ${get}`), ['main.rego:3 answer_shape']],
  ['allow as a function', policy(`allow(x) if x == 1`), ['main.rego:3 answer_shape']],
  ['a reason that is no name', policy(`deny contains "No way" if ${get}`), ['main.rego:3 reason_name']],
  ['a reason that is no string', policy(`deny contains 7 if ${get}`), ['main.rego:3 reason_name']],
  [
    'a reason that is too long',
    policy(`deny contains "${'a'.repeat(65)}" if ${get}`),
    ['main.rego:3 reason_name'],
  ],
  [
    'an unknown obligation',
    policy(`deny contains "a" if ${get}\nobligation contains {"type": "max_cost", "value": 1}`),
    ['main.rego:4 obligation_unknown'],
  ],
  ...[0, -1, 1.5, '"9"', '9007199254740992', 'null'].map(
    (value) =>
      [
        `an obligation of ${value}`,
        policy(`deny contains "a" if ${get}\nobligation contains {"type": "max_seconds", "value": ${value}}`),
        ['main.rego:4 obligation_value'],
      ] as const,
  ),
  [
    'an obligation without value',
    policy(`deny contains "a" if ${get}\nobligation contains {"type": "max_seconds"}`),
    ['main.rego:4 obligation_shape'],
  ],
  [
    'an obligation with more',
    policy(`deny contains "a" if ${get}\nobligation contains {"type": "max_seconds", "value": 1, "x": 1}`),
    ['main.rego:4 obligation_shape'],
  ],
  [
    'an obligation that is a word',
    policy(`deny contains "a" if ${get}\nobligation contains "max_seconds"`),
    ['main.rego:4 obligation_shape'],
  ],
];

const data: readonly FaultRow[] = [
  [
    'data in a file that is not read',
    { ...policy(`deny contains "a" if ${get}`), 'hosts.json': '{}' },
    ['hosts.json:0 file_name'],
  ],
  [
    'data that is no object',
    { ...policy(`deny contains "a" if ${get}`), 'data.json': '[]' },
    ['data.json:1 data_not_object'],
  ],
  [
    'data that is no JSON',
    { ...policy(`deny contains "a" if ${get}`), 'data.json': '{"a":' },
    ['data.json:1 data_unreadable'],
  ],
  [
    'a member named twice',
    { ...policy(`deny contains "a" if ${get}`), 'data.json': '{"a":{"b":1,"b":2}}' },
    ['data.json:1 data_duplicate'],
  ],
  [
    'a YAML member named twice',
    { ...policy(`deny contains "a" if ${get}`), 'data.yaml': 'a: 1\na: 2' },
    ['data.yaml:1 data_duplicate'],
  ],
  [
    'one value in two files',
    { ...policy(`deny contains "a" if ${get}`), 'data.json': '{"a":1}', 'data.yaml': 'a: 2' },
    ['data.yaml:1 data_conflict'],
  ],
  [
    'data where rules live',
    { ...policy(`deny contains "a" if ${get}`), 'data.json': '{"policy":{"deny":[]}}' },
    ['data.json:1 data_reserved'],
  ],
  [
    'data for the base policy',
    {
      ...policy(`deny contains "a" if ${get}`),
      'writ.d/data.json': '{}',
      'data.json': '{"writ":{"decision":{"allow":true}}}',
    },
    ['data.json:1 data_reserved'],
  ],
  [
    'data that nothing defines',
    { ...policy('deny contains "a" if data.blockd[input.call.host]'), 'data.json': '{"blocked":{}}' },
    ['main.rego:3 data_unknown'],
  ],
  [
    'a rule that nothing defines',
    policy('deny contains "a" if data.lib.hosts.listed'),
    ['main.rego:3 data_unknown'],
  ],
];

t.test('a rule that would decide nothing is refused', async (t) => {
  for (const [name, files, faults] of layout) t.strictSame(await faultsOf(files), faults, name);
});

t.test('data that would be lost or ambiguous is refused', async (t) => {
  for (const [name, files, faults] of data) t.strictSame(await faultsOf(files), faults, name);
});
