import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import type { Test } from 'tap';
import type { Evaluation } from '../../src/policy/decision.ts';
import { engineLimits } from '../../src/policy/engine.ts';
import type { PoolLimits } from '../../src/policy/pool.ts';
import { PolicyPool } from '../../src/policy/pool.ts';
import { bundleOf, defaultFiles, goodInput, handmade } from './bundle-files.ts';
import { bodies } from './wasm-module.ts';
import type { ModuleShape } from './wasm-module.ts';

/** Long enough for a busy machine, short enough for a test. */
const deadline = 500;

async function poolOf(t: Test, shape: ModuleShape, limits: Partial<PoolLimits> = {}): Promise<PolicyPool> {
  const pool = new PolicyPool({ deadline, ...limits });
  t.teardown(() => pool.close());
  const activation = await pool.activate(await handmade(shape, { revision: 'first' }));
  if (!activation.ok) throw new Error(activation.fault);
  return pool;
}

/** What came of it, in one word. */
function word(evaluation: Evaluation | undefined): string {
  if (!evaluation) return 'none';
  const { answer } = evaluation;
  return answer.ok ? (answer.value.allow ? 'allow' : 'deny') : answer.code;
}

async function words(pool: PolicyPool, inputs: readonly string[]): Promise<readonly string[]> {
  return (await Promise.all(inputs.map((input) => pool.decide(input)))).map(word);
}

/** Calls back for every worker that this process starts, until the test ends. */
function onWorker(t: Test, listener: (worker: Worker) => void): () => void {
  process.on('worker', listener);
  const stop = (): void => void process.off('worker', listener);
  t.teardown(stop);
  return stop;
}

t.test('without a bundle nothing is decided', async (t) => {
  const pool = new PolicyPool();
  t.equal(await pool.decide(goodInput), undefined);
  t.equal(pool.active, undefined);
});

t.test('every input gets its own answer, with the digest of the sorted answer', async (t) => {
  const pool = new PolicyPool();
  t.teardown(() => pool.close());
  const bundle = await bundleOf(await defaultFiles());
  t.strictSame(await pool.activate(bundle), { ok: true, identity: bundle.identity });
  t.strictSame(pool.active, bundle.identity);
  const allow = '{"allow":true,"obligations":[{"type":"max_seconds","value":300}],"reasons":[]}';
  const deny = `{"allow":false,"obligations":[{"type":"max_seconds","value":300}],"reasons":["delete_needs_ticket"]}`;
  const remove = goodInput.replace('GET', 'DELETE');
  const asked = Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? remove : goodInput));
  const evaluations = await Promise.all(asked.map((input) => pool.decide(input)));
  const wrong = evaluations.findIndex((evaluation, i) => {
    const text = asked[i] === remove ? deny : allow;
    const result = createHash('sha256').update(text).digest('hex');
    return evaluation?.result !== result || evaluation.bundle !== bundle.identity;
  });
  t.equal(wrong, -1);
  t.strictSame(evaluations[0]?.answer, { ok: true, value: JSON.parse(deny) as unknown });
});

/** Counts the messages to threads that this test starts. */
function countOrders(t: Test): () => number {
  let orders = 0;
  onWorker(t, (worker) => {
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (value: unknown): void => {
      orders++;
      post(value);
    };
  });
  return () => orders;
}

t.test('what is asked in one turn of the event loop goes out in one message', async (t) => {
  const orders = countOrders(t);
  const pool = await poolOf(t, {});
  await words(pool, Array<string>(10).fill('1'));
  t.equal(orders(), 1);
  await words(pool, Array<string>(40).fill('1'));
  t.equal(orders(), 4, 'and no message holds more than 16');
});

t.test('an endless evaluation is denied at its deadline, and all others go on', async (t) => {
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') });
  t.strictSame(await words(pool, ['a', 'b', '!', 'c', 'd']), [
    'allow',
    'allow',
    'policy_timeout',
    'allow',
    'allow',
  ]);
  t.equal(word(await pool.decide('e')), 'allow', 'also those that come later');
  const three = await words(pool, ['!', 'a', '!', 'b', '!']);
  t.strictSame(
    three,
    ['policy_timeout', 'allow', 'policy_timeout', 'allow', 'policy_timeout'],
    'one after the other',
  );
});

t.test('nobody waits for ever behind endless evaluations', async (t) => {
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') }, { deadline: 20 });
  const answers = await words(pool, [...Array<string>(20).fill('!'), 'a']);
  t.ok(answers.every((answer) => answer === 'policy_timeout' || answer === 'policy_failed'));
  t.equal(answers.filter((answer) => answer === 'policy_timeout').length, 8);
});

t.test('after every death there is a stand-in again', async (t) => {
  let started = 0;
  onWorker(t, () => started++);
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') });
  await words(pool, ['a']);
  for (let deaths = 1; deaths <= 5; deaths++) {
    t.strictSame(await words(pool, ['!', 'a']), ['policy_timeout', 'allow']);
    t.equal(started, 2 + deaths);
  }
});

t.test('main goes on while an evaluation is endless', async (t) => {
  const pool = await poolOf(t, { evaluate: bodies.endless });
  let turns = 0;
  const count = (): void => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  t.equal(word(await pool.decide('a')), 'policy_timeout');
  clearImmediate(counting);
  t.ok(turns > 100, `${turns} turns of the event loop`);
});

t.test('an evaluation that breaks off is denied, and costs no thread', async (t) => {
  let started = 0;
  onWorker(t, () => started++);
  const pool = await poolOf(t, { evaluate: bodies.trapOn('!') });
  t.strictSame(await words(pool, ['a', '!', 'b', '!']), ['allow', 'policy_failed', 'allow', 'policy_failed']);
  t.ok(started <= 2, 'the one that evaluates, and its stand-in');
});

t.test('a thread that dies is replaced; only what it was evaluating is denied', async (t) => {
  const workers: Worker[] = [];
  onWorker(t, (worker) => workers.push(worker));
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') }, { deadline: 60_000 });
  const answers = words(pool, ['a', '!', 'b']);
  const later = new Promise((resolve) => setImmediate(resolve)).then(() => words(pool, ['c']));
  await evaluating(workers[0]);
  await workers[0]?.terminate();
  t.strictSame(await answers, ['allow', 'policy_failed', 'allow']);
  t.strictSame(await later, ['allow'], 'another batch');
  await workers[1]?.terminate();
  t.strictSame(await words(pool, ['d']), ['allow'], 'and one that dies between evaluations denies nothing');
});

/** Resolves once this thread has burned 20 ms without a pause: it is inside an endless evaluation. */
async function evaluating(worker: Worker | undefined): Promise<void> {
  if (!worker) throw new Error('no thread was started');
  let since = worker.performance.eventLoopUtilization();
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    const { active, idle } = worker.performance.eventLoopUtilization(since);
    if (idle > 0) since = worker.performance.eventLoopUtilization();
    else if (active > 20) return;
  }
}

t.test('threads that all die are not started for ever, and the pool heals', async (t) => {
  const living: Worker[] = [];
  const stopCounting = onWorker(t, (worker) => living.push(worker));
  const pool = await poolOf(t, {});
  await words(pool, ['a']);
  stopCounting();
  const victims: Promise<unknown>[] = [];
  const stop = onWorker(t, (worker) => {
    victims.push(once(worker, 'exit'));
    void worker.terminate();
  });
  for (const worker of living) void worker.terminate();
  await Promise.all(living.map((worker) => once(worker, 'exit')));
  t.equal(word(await pool.decide('b')), 'policy_failed');
  const started = victims.length;
  t.ok(started >= 1 && started <= 8, `${started} were started in vain`);
  await Promise.all(victims);
  t.equal(victims.length, started, 'none is started while nobody asks');
  stop();
  t.equal(word(await pool.decide('c')), 'allow', 'once threads live again');
});

t.test('a bundle that cannot be opened leaves the active one as it was', async (t) => {
  const pool = await poolOf(t, {}, { loading: 3000 });
  await words(pool, ['a']);
  let started = 0;
  onWorker(t, () => started++);
  const before = pool.active;
  const refusals: readonly (readonly [name: string, shape: ModuleShape, words: RegExp])[] = [
    ['another ABI', { major: 2 }, /ABI version 2/],
    ['no entrypoint', { entrypoints: '{}' }, /no entrypoint/],
    ['an endless start', { start: bodies.endless }, /did not load within 3000 ms/],
  ];
  for (const [name, shape, fault] of refusals) {
    t.match(await pool.activate(await handmade(shape)), { ok: false, fault }, name);
    t.equal(pool.active, before);
    t.equal(started, 1, `${name}: one try`);
    started = 0;
    t.equal(word(await pool.decide('a')), 'allow', `${name}: the active one goes on`);
  }
});

t.test('a call keeps the bundle it began with', async (t) => {
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') });
  const began = Promise.all(['a', '!', 'b'].map((input) => pool.decide(input)));
  const deny = '[{"result":{"allow":false,"reasons":["second"],"obligations":[]}}]';
  t.match(await pool.activate(await handmade({ answer: deny }, { revision: 'second' })), { ok: true });
  const after = await pool.decide('c');
  t.equal(pool.active?.revision, 'second');
  t.match(after, { answer: { value: { reasons: ['second'] } }, bundle: { revision: 'second' } });
  const first = await began;
  t.strictSame(first.map(word), ['allow', 'policy_timeout', 'allow']);
  t.ok(
    first.every((evaluation) => evaluation?.bundle.revision === 'first'),
    'also those that its stand-in evaluates',
  );
});

t.test('activations take effect in the order they were asked for', async (t) => {
  const pool = new PolicyPool();
  t.teardown(() => pool.close());
  const bundles = await Promise.all(['1', '2', '3'].map((revision) => handmade({}, { revision })));
  await Promise.all(bundles.map((bundle) => pool.activate(bundle)));
  t.equal(pool.active?.revision, '3');
});

t.test('a bundle that is replaced ends its threads once it owes nothing', async (t) => {
  const exits: Promise<unknown>[] = [];
  const pool = new PolicyPool({ deadline });
  t.teardown(() => pool.close());
  const stop = onWorker(t, (worker) => exits.push(once(worker, 'exit')));
  await pool.activate(await handmade({ evaluate: bodies.endlessOn('!') }));
  const owed = pool.decide('!');
  stop();
  await pool.activate(await handmade({}));
  t.equal(word(await owed), 'policy_timeout');
  await Promise.all(exits);
});

t.test('input over the limit is not even sent', async (t) => {
  const orders = countOrders(t);
  const pool = await poolOf(t, {});
  t.equal(word(await pool.decide(`"${'x'.repeat(10 * 2 ** 20)}"`)), 'policy_input_too_large');
  t.equal(orders(), 0);
  const small = await poolOf(t, {}, { engine: { ...engineLimits, inputBytes: 3 } });
  t.equal(word(await small.decide('"ä"')), 'policy_input_too_large', 'bytes are counted, not characters');
  t.equal(word(await small.decide('"a"')), 'allow');
});

t.test('closing refuses what is owed and ends every thread', async (t) => {
  const exits: Promise<unknown>[] = [];
  onWorker(t, (worker) => exits.push(once(worker, 'exit')));
  const pool = await poolOf(t, { evaluate: bodies.endlessOn('!') }, { deadline: 60_000 });
  const owed = words(pool, ['!', 'a']);
  await new Promise((resolve) => setImmediate(resolve));
  const unsent = words(pool, ['b']);
  await pool.close();
  t.strictSame(await owed, ['policy_failed', 'policy_failed']);
  t.strictSame(await unsent, ['policy_failed']);
  await Promise.all(exits);
  t.equal(await pool.decide('c'), undefined);
  t.match(await pool.activate(await handmade()), { ok: false, fault: /closed/ });
});

t.test('an idle pool keeps no process alive', async (t) => {
  const script = fileURLToPath(new URL('idle-process.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  t.equal(stdout, 'allow\n');
});

t.test('a process without file descriptors denies, and decides again once it has some', async (t) => {
  const script = fileURLToPath(new URL('starved-process.ts', import.meta.url));
  const command = `ulimit -n 64; exec "${process.execPath}" "${script}"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  const [ready, starved, ...rest] = stdout.trimEnd().split('\n');
  t.equal(ready, 'ready');
  t.match(starved, /the policy thread died: .*EMFILE/);
  t.strictSame(rest, ['activated', 'policy_timeout', 'policy_timeout', 'policy_timeout', 'allow', 'allow']);
});
