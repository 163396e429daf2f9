import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { concatBytes, encodeUtf8 } from '../../src/crypto/bytes.ts';
import { sha256Hex } from '../../src/crypto/node.ts';
import { KeptInputs } from '../../src/lineage/inputs-read.ts';
import { InputKeeper, listInputFiles, pruneInputs } from '../../src/lineage/inputs.ts';
import type { InputRules, KeptInput } from '../../src/lineage/inputs.ts';
import { scratchFolder } from './scratch-folder.ts';

const MEBIBYTE = 1024 * 1024;
const RESULT = '{"allow":true,"obligations":[],"reasons":[]}';

interface Stage {
  readonly folder: string;
  readonly lost: [number, string][];
  readonly keeper: (over?: Partial<InputRules>) => InputKeeper;
}

function stage(t: Parameters<typeof scratchFolder>[0]): Stage {
  const folder = join(scratchFolder(t), 'inputs');
  const lost: [number, string][] = [];
  const usual: InputRules = {
    folder,
    maxBytes: MEBIBYTE,
    roomBytes: 0,
    after: (_, then) => (setImmediate(then), () => undefined),
    onLost: (inputs, why) => lost.push([inputs, why]),
  };
  return { folder, lost, keeper: (over = {}) => new InputKeeper({ ...usual, ...over }) };
}

function kept(...inputs: readonly string[]): KeptInput {
  const salt = randomBytes(16);
  const digest = sha256Hex(concatBytes(salt, encodeUtf8(inputs.join('\n'))));
  return { digest, salt, inputs, result: RESULT };
}

t.test('what was asked is found by the digest on record, byte for byte', async (t) => {
  const { folder, keeper, lost } = stage(t);
  const inputs = [
    '{}',
    '{"a":"ü\\u0000\\n","input":1}',
    `{"x":"${'y'.repeat(300_000)}"}`,
    '{"a":",\\"inputs\\":[{}"}',
  ].map((text, i) => (i === 1 ? { ...kept(text), result: undefined } : kept(text)));
  inputs.push(kept('{"message":1}', '{"message":2}', '{"message":"\\t,"}'));
  const one = keeper();
  inputs.forEach((input, i) => one.keep(10 + i, input));
  await one.close();
  const lines = readFileSync(join(folder, '0000000000000010.jsonl'), 'utf8').trimEnd().split('\n');
  t.match(lines.map((line) => JSON.parse(line) as unknown).at(-1), {
    inputs: [{ message: 1 }, {}, { message: '\t,' }],
  });
  const found = new KeptInputs(folder);
  for (const [i, { digest, inputs: texts, result }] of inputs.entries())
    t.match(found.find(10 + i, digest), { inputs: texts, result });
  t.equal(found.find(10, '0'.repeat(64)), undefined);
  t.equal(new KeptInputs(`${folder}-none`).find(10, '0'.repeat(64)), undefined);
  t.equal(statSync(join(folder, '0000000000000010.jsonl')).mode & 0o777, 0o600);
  t.strictSame(lost, []);
});

t.test('what came while others were written is there once it is closed', async (t) => {
  const { folder, keeper, lost } = stage(t);
  const one = keeper({ after: (_, then) => (then(), () => undefined) }); // each is written as soon as it can be
  const inputs = Array.from({ length: 4 }, (_, i) => kept(`{"i":${i},"x":"${'y'.repeat(10_000)}"}`));
  for (const [i, input] of inputs.entries()) {
    one.keep(i, input);
    await Promise.resolve(); // the first of them is on its way
  }
  await one.close();
  const found = new KeptInputs(folder);
  for (const [i, { digest }] of inputs.entries()) t.ok(found.find(i, digest), `input ${i}`);
  t.strictSame(lost, []);
});

t.test('a changed input is none', async (t) => {
  const { folder, keeper } = stage(t);
  const input = kept('{"call":{"method":"GET"}}');
  const one = keeper();
  one.keep(1, input);
  await one.close();
  const path = listInputFiles(folder)[0]?.path ?? '';
  const text = readFileSync(path, 'utf8');
  t.ok(new KeptInputs(folder).find(1, input.digest));
  for (const [from, to] of [
    ['GET', 'PUT'],
    ['"salt":"', '"salt":"A'],
    ['}\n', '\n'],
    [',"inputs":', ', "inputs":'],
  ] as const) {
    writeFileSync(path, text.replace(from, to));
    t.equal(new KeptInputs(folder).find(1, input.digest), undefined, from);
  }
});

t.test('a line that a crash cut short costs that line only', async (t) => {
  const { folder, keeper } = stage(t);
  const [first, second, third] = ['{"n":1}', '{"n":2}', '{"n":3}'].map((text) => kept(text));
  if (!first || !second || !third) throw new Error('three inputs');
  const before = keeper();
  before.keep(1, first);
  before.keep(2, second);
  await before.close();
  const path = listInputFiles(folder)[0]?.path ?? '';
  truncateSync(path, statSync(path).size - 20);
  const after = keeper();
  after.keep(3, third);
  await after.close();
  const found = new KeptInputs(folder);
  t.ok(found.find(1, first.digest));
  t.equal(found.find(2, second.digest), undefined);
  t.ok(found.find(3, third.digest));
});

t.test('past the bound the oldest go; pruned entries take theirs along', async (t) => {
  const { folder, keeper } = stage(t);
  const one = keeper();
  const inputs: KeptInput[] = [];
  for (let i = 0; i < 40; i++) {
    const input = kept(`{"n":${i},"x":"${'y'.repeat(50_000)}"}`);
    inputs.push(input);
    one.keep(i, input);
    await new Promise(setImmediate);
    await one.close();
  }
  const total = listInputFiles(folder).reduce((sum, { path }) => sum + statSync(path).size, 0);
  t.ok(total <= 1.25 * MEBIBYTE, `${total} bytes`);
  t.ok(total > MEBIBYTE / 2, `${total} bytes`);
  const found = new KeptInputs(folder);
  t.equal(found.find(0, inputs[0]?.digest ?? ''), undefined);
  t.ok(found.find(39, inputs[39]?.digest ?? ''));
  const files = listInputFiles(folder);
  const gone = pruneInputs(folder, files[2]?.first ?? 0);
  t.strictSame(
    gone,
    files.slice(0, 2).map(({ path }) => path),
  );
  t.strictSame(listInputFiles(folder), files.slice(2));
  t.strictSame(pruneInputs(folder, (files[2]?.first ?? 0) + 1), [], 'a file with one entry that stays');
});

t.test('what cannot be kept is said, and never thrown', async (t) => {
  const { folder, keeper, lost } = stage(t);
  const full = keeper({ roomBytes: Number.MAX_SAFE_INTEGER });
  full.keep(1, kept('{}'));
  await full.close();
  t.strictSame(lost.splice(0), [[1, 'the disk has room for the log only']]);
  writeFileSync(`${folder}4`, 'a file where the folder should be');
  const blocked = keeper({ folder: `${folder}4` });
  blocked.keep(1, kept('{}'));
  await blocked.close();
  t.match(lost.splice(0), [[1, /EEXIST|ENOTDIR/]]);
  const flooded = keeper({ folder: `${folder}2`, after: () => () => undefined });
  for (let i = 0; i < 20; i++) flooded.keep(i, kept('x'.repeat(MEBIBYTE)));
  await flooded.close();
  t.match(lost.splice(0), [[4, /faster/]]);
  mkdirSync(`${folder}3`);
  appendFileSync(join(`${folder}3`, 'other.txt'), '');
  t.strictSame(listInputFiles(`${folder}3`), []);
});
