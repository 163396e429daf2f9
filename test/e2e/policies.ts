/** Policies for tests, compiled by the real OPA once a run: kept in a folder named by all that they come from. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBundle, withBasePolicy } from '../../src/policy/build.ts';
import { Compiler } from '../../src/policy/compiler.ts';
import { faultText } from '../../src/policy/fault.ts';
import { manifest } from '../policy/bundle-files.ts';
import { wasmModule } from '../policy/wasm-module.ts';
import type { ModuleShape } from '../policy/wasm-module.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache/writ-test-policies/', import.meta.url));
const makers = ['../../rego/compiler/opa.wasm.br.sha256', '../../src/policy/build.ts'];

/** The first path segment picks what this policy answers. */
export const PLAYGROUND = {
  'playground.rego': `package policy

first := input.call.segments[0]

deny contains "no_teapots" if first == "teapot"

deny contains "endless" if {
	first == "endless"
	some a in data.numbers
	some b in data.numbers
	some c in data.numbers
	some d in data.numbers
	a + b + c + d == -1
}

obligation contains {"type": first, "value": 1} if first == "paint-it"

obligation contains {"type": "max_seconds", "value": 1} if first == "one-second"

obligation contains {"type": "max_request_bytes", "value": 10} if first == "ten-bytes-up"

obligation contains {"type": "max_response_bytes", "value": 10} if first == "ten-bytes-down"
`,
  'data.json': JSON.stringify({
    numbers: Array.from({ length: 100 }, (_, i) => i),
  }),
};

/** Reads JSON bodies. */
export const READS_CONTENT = {
  'content.rego': 'package policy\n\ndeny contains "secret" if input.call.content.json.secret\n',
};

/** The folder of a compiled bundle. */
export async function compiled(files: Readonly<Record<string, string>>): Promise<string> {
  const source = await withBasePolicy(files);
  const hash = createHash('sha256').update(JSON.stringify(source));
  for (const maker of makers) hash.update(readFileSync(new URL(maker, import.meta.url)));
  const name = hash.digest('hex');
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const opa = new Compiler();
  const built = await buildBundle(opa, files);
  await opa.close();
  if (!built.ok) throw new Error(built.faults.map(faultText).join('\n'));
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, 'new-'));
  for (const [file, bytes] of Object.entries(built.value.files)) writeFileSync(join(fresh, file), bytes);
  try {
    renameSync(fresh, folder);
  } catch (cause) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(folder)) throw cause; // another test was quicker
  }
  return folder;
}

/** Writes a bundle around a hand-made module: what no compiler of ours would emit. */
export function handmadeBundle(folder: string, shape: ModuleShape, revision = 'handmade'): string {
  mkdirSync(folder, { recursive: true });
  const parts = { 'policy.wasm': wasmModule(shape), 'data.json': Buffer.from('{}') };
  const files = { ...parts, '.manifest': manifest({ revision }, parts) };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}
