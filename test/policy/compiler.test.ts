import { readFile } from 'node:fs/promises';
import t from 'tap';
import { buildBundle, defaultPolicy, regoFolder, withBasePolicy } from '../../src/policy/build.ts';
import { Compiler } from '../../src/policy/compiler.ts';
import { faultText } from '../../src/policy/fault.ts';
import { compiler, policy } from './check.ts';

t.teardown(() => compiler.close());

t.test('a fault points at what is meant', async (t) => {
  const checked = await compiler.check(
    await withBasePolicy(policy('deny contains "Ü" if input.call.port == 1')),
  );
  if (checked.ok) return void t.fail('it compiled');
  const [fault] = checked.faults;
  t.match(fault, { file: 'main.rego', line: 3, column: 15, length: 3, code: 'reason_name' });
  t.match(fault && faultText(fault), /^main\.rego:3:15: reason_name: "Ü" is not a reason/);
});

t.test('the same sources give the same bytes, and they are those of rego/dist', async (t) => {
  const first = await buildBundle(compiler, await defaultPolicy());
  const again = new Compiler();
  t.teardown(() => again.close());
  const second = await buildBundle(again, await defaultPolicy());
  if (!first.ok || !second.ok) return void t.fail('the default policy does not compile');
  for (const [name, bytes] of Object.entries(first.value.files)) {
    t.ok(
      Buffer.from(bytes).equals(
        Buffer.from(Object.entries(second.value.files).find(([other]) => other === name)?.[1] ?? []),
      ),
      name,
    );
    t.ok(
      Buffer.from(bytes).equals(await readFile(`${regoFolder}dist/${name}`)),
      `rego/dist/${name}: node rego/build.ts renews it`,
    );
  }
});

t.test('a test does not change what is built, a rule does', async (t) => {
  const plain = policy('deny contains "a" if input.call.port == 1');
  const tested = { ...plain, 'a_test.rego': 'package a_test\ntest_a if true' };
  const changed = policy('deny contains "b" if input.call.port == 1');
  const digests = await Promise.all(
    [plain, tested, changed].map(async (files) => {
      const built = await buildBundle(compiler, files);
      return built.ok ? `${built.value.identity.digest} ${built.value.manifest.revision}` : 'fault';
    }),
  );
  t.equal(digests[0], digests[1]);
  t.not(digests[0], digests[2]);
});

t.test('the worker ends when idle and starts again when needed', async (t) => {
  const brief = new Compiler({ idle: 1 });
  t.ok((await brief.format(policy('deny contains "a" if true'))).ok);
  t.ok((await brief.format(policy('deny contains "a" if true'))).ok);
  await brief.close();
});

t.test('a compilation past its deadline is killed, and the next one works', async (t) => {
  const files = policy('deny contains "a" if true');
  const hasty = new Compiler({ deadline: 1 });
  await t.rejects(hasty.format(files), /longer than 1 ms/);
  await t.rejects(hasty.format(files), /longer than 1 ms/, 'also the second time');
  await hasty.close();
});

t.test('what waits when the compiler closes is rejected', async (t) => {
  const closed = new Compiler();
  const waiting = t.rejects(closed.format(policy('deny contains "a" if true')), /was closed/);
  await closed.close();
  await waiting;
});

t.test('several requests at once are answered each with its own', async (t) => {
  const names = ['a', 'b', 'c'];
  const formatted = await Promise.all(
    names.map((name) => compiler.format({ [`${name}.rego`]: `package ${name}` })),
  );
  t.strictSame(
    formatted.map((one) => (one.ok ? one.value : one)),
    names.map((name) => ({ [`${name}.rego`]: `package ${name}\n` })),
  );
});

t.test('capabilities name no builtin whose answer could differ tomorrow', async (t) => {
  const { builtins } = (await compiler.capabilities()) as {
    readonly builtins: readonly { readonly name: string }[];
  }; // OPA's own document
  const names = builtins.map(({ name }) => name);
  t.ok(names.includes('startswith') && names.includes('sprintf'));
  for (const banned of [
    'time.now_ns',
    'rand.intn',
    'http.send',
    'uuid.rfc4122',
    'opa.runtime',
    'net.lookup_ip_addr',
    'trace',
  ])
    t.notOk(names.includes(banned), banned);
});
