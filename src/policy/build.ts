/** From an author's sources to the three files of a bundle, with the base policy compiled in. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { contentMembers } from '../call/content.ts';
import { encodeUtf8 } from '../crypto/bytes.ts';
import { canonicalJson } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import { type BundleDigests, type BundleFiles, ENTRYPOINT, identify } from './bundle.ts';
import type { Compiler, PolicyFiles, PolicySource } from './compiler.ts';
import type { BundleIdentity } from './decision.ts';
import { type Compiled, faultText } from './fault.ts';
import { readPolicyFolder } from './source.ts';

/** Where the policy sources that come with Writ lie: `writ/`, `default/`, `examples/`, `dist/`. */
export const regoFolder = fileURLToPath(new URL('../../rego/', import.meta.url));

/** `.manifest`: an OPA bundle manifest with our members beside OPA's. */
export interface BundleManifest {
  /** Chosen by the author; by default the first 16 hex digits of `sources`. */
  readonly revision: string;
  readonly entrypoint: string;
  /** What of the body a rule may read (`contentMembers`), so that the gate has to. */
  readonly content: readonly string[];
  /** SHA-256 over JCS of `{path: SHA-256 of the file}` of every source but tests, the base policy's included. */
  readonly sources: string;
  readonly digests: BundleDigests;
  readonly roots: readonly string[];
  readonly wasm: readonly { readonly entrypoint: string; readonly module: string }[];
}

/** A built bundle: what `policy build` writes, byte for byte. */
export interface BuiltBundle {
  /** `policy.wasm`, `data.json` and `.manifest`. */
  readonly files: BundleFiles;
  readonly manifest: BundleManifest;
  readonly identity: BundleIdentity;
}

/** An author's files together with the base policy and the schema of input, as every command compiles them. */
export async function withBasePolicy(files: PolicyFiles): Promise<PolicySource> {
  const { 'input.schema.json': schema = '', ...base } = await readPolicyFolder(`${regoFolder}writ`);
  const placed = Object.entries(base).map(([path, text]) => [`writ/${path}`, text] as const);
  return { files, base: Object.fromEntries(placed), schema };
}

/** Compiles an author's files into a bundle. The same files give the same bytes, on any machine. */
export async function buildBundle(
  compiler: Compiler,
  files: PolicyFiles,
  revision?: string,
): Promise<Compiled<BuiltBundle>> {
  const source = await withBasePolicy(files);
  const built = await compiler.build(source, [ENTRYPOINT]);
  if (!built.ok) return built;
  const { wasm, data, needs } = built.value;
  const sources = sourcesDigest({ ...source.files, ...source.base });
  const manifest: BundleManifest = {
    revision: revision ?? sources.slice(0, 16),
    entrypoint: ENTRYPOINT,
    content: needs?.content ?? contentMembers,
    sources,
    digests: { 'data.json': sha256Hex(data), 'policy.wasm': sha256Hex(wasm) },
    roots: [''],
    wasm: [{ entrypoint: ENTRYPOINT, module: '/policy.wasm' }],
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const parts: BundleFiles = { 'policy.wasm': wasm, 'data.json': data, '.manifest': encodeUtf8(text) };
  return { ok: true, value: { files: parts, manifest, identity: identify(manifest.revision, parts) } };
}

function sourcesDigest(files: PolicyFiles): string {
  const compiled = Object.entries(files).filter(([path]) => !path.endsWith('_test.rego'));
  return sha256Hex(
    canonicalJson(Object.fromEntries(compiled.map(([path, text]) => [path, sha256Hex(text)]))),
  );
}

/** The policy of a fresh Writ, as source. */
export async function defaultPolicy(): Promise<PolicyFiles> {
  return readPolicyFolder(`${regoFolder}default`);
}

/** What `policy eval` asks by default: the whole decision. */
export const decisionQuery = 'data.writ.decision';

/** A whole, permitted call: what authors' tests know as `data.writ.sample.call`. */
export async function sampleInput(compiler: Compiler): Promise<unknown> {
  const text = await readFile(`${regoFolder}writ/sample_test.rego`, 'utf8');
  const sample = await compiler.evaluate(
    { files: { 'sample.rego': text } },
    { query: 'data.writ.sample.call' },
  );
  if (!sample.ok) throw new Error(`rego/writ/sample_test.rego: ${sample.faults.map(faultText).join('; ')}`);
  return sample.value.values[0];
}
