import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { regoFolder, withBasePolicy } from '../../src/policy/build.ts';
import { Compiler, type TestRun } from '../../src/policy/compiler.ts';
import { faultText, type Compiled } from '../../src/policy/fault.ts';
import { readPolicyFolder } from '../../src/policy/source.ts';

const compiler = new Compiler();
t.teardown(() => compiler.close());

const authored = ['default', ...readdirSync(`${regoFolder}examples`).map((name) => `examples/${name}`)];

function passes(t: Test, ran: Compiled<TestRun>): void {
  if (!ran.ok) return void t.fail(ran.faults.map(faultText).join('\n'));
  const { tests, coverage } = ran.value;
  t.ok(tests.length > 2, `${tests.length} tests`);
  for (const { name, outcome, message } of tests) t.equal(outcome, 'pass', `${name} ${message ?? ''}`);
  for (const [file, report] of Object.entries(coverage?.files ?? {}))
    if (!file.endsWith('_test.rego')) t.equal(report.coverage, 100, `every line of ${file} is reached`);
}

t.test('the base policy passes its own tests', async (t) => {
  const { 'input.schema.json': _, ...files } = await readPolicyFolder(`${regoFolder}writ`);
  passes(t, await compiler.test({ files }, { coverage: true }));
});

for (const folder of authored) {
  t.test(`rego/${folder} passes its own tests under the base policy`, async (t) => {
    const files = await readPolicyFolder(`${regoFolder}${folder}`);
    passes(t, await compiler.test(await withBasePolicy(files), { coverage: true }));
  });
}

t.test('every policy that comes with Writ is laid out as Rego is', async (t) => {
  for (const folder of ['writ', ...authored])
    t.strictSame(await compiler.format(await readPolicyFolder(`${regoFolder}${folder}`)), {
      ok: true,
      value: {},
    });
});

t.test('a test that fails is a failure, and says where', async (t) => {
  const files = {
    'main.rego': 'package policy\ndeny contains "a" if input.call.port == 1\n',
    'main_test.rego':
      'package policy_test\nimport data.policy\ntest_wrong if {\n\tcount(policy.deny) == 7\n}\ntodo_test_later if true\n',
  };
  const ran = await compiler.test(await withBasePolicy(files));
  t.match(ran, {
    ok: true,
    value: {
      tests: [
        {
          file: 'main_test.rego',
          line: 3,
          name: 'test_wrong',
          outcome: 'fail',
          message: 'does not hold, line 4: count(policy.deny) == 7',
        },
        { file: 'main_test.rego', line: 6, name: 'todo_test_later', outcome: 'skip' },
      ],
    },
  });
});
