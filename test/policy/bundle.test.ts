import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loadBundle, readBundle } from '../../src/policy/bundle.ts';
import type { BundleFiles } from '../../src/policy/bundle.ts';
import { Engine } from '../../src/policy/engine.ts';
import { defaultFiles, manifest } from './bundle-files.ts';
import { wasmModule } from './wasm-module.ts';

const hex = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

async function written(folder: string, files: Partial<BundleFiles>): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  return folder;
}

t.test('a bundle is known by the bytes of its files', async (t) => {
  const files = await defaultFiles();
  const loaded = await loadBundle(await written(t.testdir(), files));
  if (!loaded.ok) throw new Error(loaded.fault);
  const [wasm, data] = [hex(files['policy.wasm']), hex(files['data.json'])];
  const digest = hex(`{"data":"${data}","entrypoint":"writ/decision","wasm":"${wasm}"}`);
  t.match(loaded.bundle.identity, { wasm, data, entrypoint: 'writ/decision', digest });
  t.match(loaded.bundle.identity.revision, /^[0-9a-f]{16}$/);
  t.strictSame(loaded.bundle.content, []);
});

t.test('a bundle with signatures is refused as long as nobody verifies them', async (t) => {
  const folder = await written(t.testdir(), await defaultFiles());
  await writeFile(join(folder, '.signatures.json'), '{"signatures":["a.b.c"]}');
  t.match(await loadBundle(folder), { ok: false, fault: /signatures of bundles are not verified yet/ });
  await unlink(join(folder, '.signatures.json'));
  t.match(await loadBundle(folder), { ok: true });
});

t.test('a revision is a name only: the digest does not hang on it', async (t) => {
  const known = await defaultFiles();
  const files = { ...known, '.manifest': manifest({ revision: 'mine', content: ['json'] }, known) };
  const [one, other] = await Promise.all([readBundle(files), readBundle(await defaultFiles())]);
  if (!one.ok || !other.ok) throw new Error('both are good');
  t.equal(one.bundle.identity.digest, other.bundle.identity.digest);
  t.equal(one.bundle.identity.revision, 'mine');
  t.strictSame(one.bundle.content, ['json']);
});

t.test('a link that is turned meanwhile never mixes two bundles', async (t) => {
  const home = t.testdir();
  const revisions = ['a', 'b'] as const;
  const dataOf = (revision: string): string => JSON.stringify({ revision });
  for (const revision of revisions) {
    const files = { 'policy.wasm': wasmModule({}), 'data.json': Buffer.from(dataOf(revision)) };
    await written(join(home, revision), { ...files, '.manifest': manifest({ revision }, files) });
  }
  const turn = async (to: string): Promise<void> => {
    await symlink(to, join(home, 'next'));
    await rename(join(home, 'next'), join(home, 'active'));
  };
  await turn('a');
  for (let round = 0; round < 25; round++) {
    let over = false;
    const loading = loadBundle(join(home, 'active')).finally(() => (over = true));
    for (let i = 1; !over; i++) await turn(i % 2 === 1 ? 'b' : 'a');
    const loaded = await loading;
    if (!loaded.ok) throw new Error(loaded.fault);
    const { revision, data } = loaded.bundle.identity;
    t.equal(data, hex(dataOf(revision)), `round ${round}`);
  }
});

t.test('what is wrong with a folder is said', async (t) => {
  const files = await defaultFiles();
  const refusals: readonly (readonly [
    name: string,
    spoil: (folder: string) => Promise<unknown>,
    words: RegExp,
  ])[] = [
    ['no folder', (at) => rm(at, { recursive: true }), /policy\.wasm is missing/],
    ['no module', (at) => unlink(join(at, 'policy.wasm')), /policy\.wasm is missing/],
    ['no data', (at) => unlink(join(at, 'data.json')), /data\.json is missing/],
    ['no manifest', (at) => unlink(join(at, '.manifest')), /\.manifest is missing/],
    ['an empty module', (at) => truncate(join(at, 'policy.wasm'), 0), /policy\.wasm is empty/],
    ['half a module', (at) => truncate(join(at, 'policy.wasm'), 100_000), /not a whole WebAssembly module/],
    ['empty data', (at) => truncate(join(at, 'data.json'), 0), /data\.json is empty/],
    ['half of data', (at) => truncate(join(at, 'data.json'), 1), /data\.json is not JSON/],
    ['half a manifest', (at) => truncate(join(at, '.manifest'), 40), /\.manifest is not JSON/],
    ['a folder for a file', async (at) => folderInstead(join(at, 'data.json')), /data\.json is not a file/],
    ['a pipe for a file', async (at) => pipeInstead(join(at, 'data.json')), /data\.json is not a file/],
    ['a vast manifest', (at) => truncate(join(at, '.manifest'), 2 ** 21), /\.manifest is larger than/],
  ];
  const home = t.testdir();
  for (const [index, [name, spoil, words]] of refusals.entries()) {
    const folder = await written(join(home, String(index)), files);
    await spoil(folder);
    t.match(await loadBundle(folder), { ok: false, fault: words }, name);
  }
});

async function folderInstead(path: string): Promise<void> {
  await unlink(path);
  await mkdir(path);
}

async function pipeInstead(path: string): Promise<void> {
  await unlink(path);
  execFileSync('mkfifo', [path]);
}

t.test('what is wrong with the files is said', async (t) => {
  const good = { 'policy.wasm': wasmModule(), 'data.json': Buffer.from('{}'), '.manifest': manifest() };
  t.equal((await readBundle(good)).ok, true);
  const wasm = (bytes: Uint8Array): BundleFiles => ({ ...good, 'policy.wasm': bytes });
  const data = (text: string): BundleFiles => ({ ...good, 'data.json': Buffer.from(text, 'latin1') });
  const named = (members: object): BundleFiles => ({ ...good, '.manifest': manifest({ ...members }) });
  const refusals: readonly (readonly [name: string, files: BundleFiles, words: RegExp])[] = [
    ['garbage', wasm(Buffer.from('garbage')), /policy\.wasm is not a whole WebAssembly module/],
    ['a module of nothing', wasm(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)), /limit its memory/],
    ['a module without eval', wasm(wasmModule({ without: ['eval'] })), /does not export eval/],
    ['a module without ABI', wasm(wasmModule({ without: ['opa_wasm_abi_version'] })), /does not export/],
    ['a module without minor ABI', wasm(wasmModule({ without: ['opa_wasm_abi_minor_version'] })), /export/],
    ['a console', wasm(wasmModule({ extraImport: ['env', 'opa_println'] })), /imports env\.opa_println/],
    ['an unknown import', wasm(wasmModule({ extraImport: ['env', 'fetch'] })), /imports env\.fetch/],
    ['WASI', wasm(wasmModule({ extraImport: ['wasi_snapshot_preview1', 'proc_exit'] })), /proc_exit/],
    ['data that is a list', data('[]'), /data\.json is not a JSON object/],
    ['data that is null', data('null'), /data\.json is not a JSON object/],
    ['data with a name twice', data('{"a":1,"\\u0061":2}'), /data\.json is not strict JSON: a member twice/],
    ['data that is not UTF-8', data('{"a":"\xff"}'), /data\.json is not UTF-8/],
    ['no revision', named({ revision: undefined }), /no revision/],
    ['an empty revision', named({ revision: '' }), /no revision/],
    ['a revision with a line end', named({ revision: 'a\nb' }), /no revision/],
    ['no entrypoint', named({ entrypoint: undefined }), /entrypoint writ\/decision/],
    ['another entrypoint', named({ entrypoint: 'writ/other' }), /entrypoint writ\/decision/],
    ['data of another build', data('{"a":1}'), /of other files than these/],
    ['a module of another build', wasm(wasmModule({ answer: '[]' })), /of other files than these/],
    ['no word on the files', named({ digests: undefined }), /of other files than these/],
    ['no word on content', named({ content: undefined }), /what content rules read/],
    ['content as text', named({ content: 'none' }), /what content rules read/],
    ['content that is not known', named({ content: ['xml'] }), /what content rules read/],
    [
      'a manifest that is a list',
      { ...good, '.manifest': Buffer.from('[]') },
      /\.manifest is not a JSON object/,
    ],
  ];
  for (const [name, files, words] of refusals)
    t.match(await readBundle(files), { ok: false, fault: words }, name);
});

t.test('a module that was cut anywhere, or had a byte flipped in its head, does not load', async (t) => {
  const whole = wasmModule();
  const rest = { 'data.json': Buffer.from('{}'), '.manifest': manifest() };
  const loads = async (bytes: Uint8Array): Promise<boolean> => {
    const loaded = await readBundle({ 'policy.wasm': bytes, ...rest });
    return loaded.ok && Engine.open(loaded.bundle).ok;
  };
  t.ok(await loads(whole));
  for (let length = 0; length < whole.length; length++)
    if (await loads(whole.subarray(0, length))) t.fail(`cut after ${length} bytes`);
  for (let at = 0; at < 8; at++) {
    const flipped = Uint8Array.from(whole);
    flipped[at] = 0xff;
    if (await loads(flipped)) t.fail(`flipped at ${at}`);
  }
});
