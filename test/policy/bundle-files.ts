/** Bundles for tests: the committed default policy, and hand-made modules. */
import { readFile } from 'node:fs/promises';
import { sha256Hex } from '../../src/crypto/node.ts';
import { readBundle } from '../../src/policy/bundle.ts';
import type { Bundle, BundleFiles, UsableBundle } from '../../src/policy/bundle.ts';
import { wasmModule } from './wasm-module.ts';
import type { ModuleShape } from './wasm-module.ts';

const distribution = new URL('../../rego/dist/', import.meta.url);

/** The files of the default policy, compiled by the real OPA. */
export async function defaultFiles(): Promise<BundleFiles> {
  const read = (name: string): Promise<Uint8Array> => readFile(new URL(name, distribution));
  return {
    'policy.wasm': await read('policy.wasm'),
    'data.json': await read('data.json'),
    '.manifest': await read('.manifest'),
  };
}

/** A manifest of these files, by default of the smallest ones; with what is given laid over a good one. */
export function manifest(
  members: Readonly<Record<string, unknown>> = {},
  files: Omit<BundleFiles, '.manifest'> = { 'policy.wasm': wasmModule(), 'data.json': Buffer.from('{}') },
): Uint8Array {
  const digests = {
    'data.json': sha256Hex(files['data.json']),
    'policy.wasm': sha256Hex(files['policy.wasm']),
  };
  const good = { revision: 'r1', entrypoint: 'writ/decision', content: [], digests };
  return Buffer.from(JSON.stringify({ ...good, ...members }));
}

/** A bundle that must be good. */
export async function bundleOf(files: BundleFiles): Promise<Bundle> {
  const loaded = await readBundle(files);
  if (!loaded.ok) throw new Error(loaded.fault);
  return loaded.bundle;
}

/** A bundle around a hand-made module. */
export async function handmade(
  shape: ModuleShape = {},
  members: Readonly<Record<string, unknown>> = {},
): Promise<Bundle> {
  return (await usable(shape, members)).bundle;
}

/** The same, with its files. */
export async function usable(
  shape: ModuleShape,
  members: Readonly<Record<string, unknown>>,
): Promise<UsableBundle> {
  const files = { 'policy.wasm': wasmModule(shape), 'data.json': Buffer.from('{}') };
  const loaded = await readBundle({ ...files, '.manifest': manifest(members, files) });
  if (!loaded.ok) throw new Error(loaded.fault);
  return loaded;
}

/** An input document that the default policy allows. */
export const goodInput = JSON.stringify({
  call: { method: 'GET', host: 'api.example', segments: ['a'], content: { state: 'none' } },
  grant: { sub: 'agent:test', claims: {} },
  trust: { state: 'trusted' },
  time: { unix_ms: 1_700_000_000_000 },
});
