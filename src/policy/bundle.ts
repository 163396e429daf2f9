/**
 * A policy bundle on disk: `policy.wasm`, `data.json` and `.manifest` of one folder. Nothing of it runs here; what only
 * an instance can tell (ABI, entrypoints, builtins) the policy thread checks when it opens the bundle (engine.ts).
 */
import { constants, lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { contentMembers } from '../call/content.ts';
import type { ContentMember } from '../call/content.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { faultInText } from '../crypto/json-text.ts';
import { canonicalJson } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { BundleIdentity } from './decision.ts';
import { moduleFault } from './module.ts';

/** The one entrypoint that is ever evaluated. */
export const ENTRYPOINT = 'writ/decision';

/** A bundle whose files are what they should be. It crosses to policy threads as it is. */
export interface Bundle {
  readonly identity: BundleIdentity;
  /** What of the body a rule may read; where there is anything, a body that was not parsed denies before evaluation. */
  readonly content: readonly ContentMember[];
  readonly module: WebAssembly.Module;
  /** The bytes of data.json: JSON text of one object. */
  readonly data: ArrayBuffer;
}

/** A bundle, or what the operator has to mend. */
export type Loaded = UsableBundle | BundleFault;

/** A bundle, and the files that it was made from. */
export interface UsableBundle {
  readonly ok: true;
  readonly bundle: Bundle;
  readonly files: BundleFiles;
}

/** Why a bundle cannot be used, in words for the operator. */
export interface BundleFault {
  readonly ok: false;
  readonly fault: string;
}

/** The bytes of a bundle's files. */
export interface BundleFiles {
  readonly 'policy.wasm': Uint8Array;
  readonly 'data.json': Uint8Array;
  readonly '.manifest': Uint8Array;
}

const MIB = 1024 * 1024;
const maxBytes = { 'policy.wasm': 64 * MIB, 'data.json': 64 * MIB, '.manifest': MIB } as const;

/** OPA's signatures of a bundle: whoever puts them there relies on them. */
const SIGNATURES = '.signatures.json';

type FileName = keyof typeof maxBytes;
type Read<T> = { readonly ok: true; readonly value: T } | BundleFault;

/** Loads the bundle of a folder. Never rejects: whatever is wrong with the folder is a fault. */
export async function loadBundle(folder: string): Promise<Loaded> {
  const real = await realpath(folder).catch(() => folder); // a link may be turned to the next bundle meanwhile
  if (await isThere(join(real, SIGNATURES)))
    return fault(
      `${join(real, SIGNATURES)}: signatures of bundles are not verified yet; remove it to use the bundle without`,
    );
  const wasm = await readFile(real, 'policy.wasm');
  if (!wasm.ok) return wasm;
  const data = await readFile(real, 'data.json');
  if (!data.ok) return data;
  const manifest = await readFile(real, '.manifest');
  if (!manifest.ok) return manifest;
  return readBundle({ 'policy.wasm': wasm.value, 'data.json': data.value, '.manifest': manifest.value });
}

/** The bundle that these files make. Never rejects. */
export async function readBundle(files: BundleFiles): Promise<Loaded> {
  const manifest = readManifest(files['.manifest']);
  if (!manifest.ok) return manifest;
  const dataFault = faultOfData(files['data.json']);
  if (dataFault) return fault(`data.json ${dataFault}`);
  const module = await compile(files['policy.wasm']);
  if (!module.ok) return module;
  const { revision, content, digests } = manifest.value;
  const identity = identify(revision, files);
  if (digests['policy.wasm'] !== identity.wasm || digests['data.json'] !== identity.data)
    return fault('.manifest is of other files than these: build the bundle again with writ policy build');
  const data = Uint8Array.from(files['data.json']).buffer;
  return { ok: true, bundle: { identity, content, module: module.value, data }, files };
}

function fault(text: string): BundleFault {
  return { ok: false, fault: text };
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function readFile(folder: string, name: FileName): Promise<Read<Uint8Array>> {
  const path = join(folder, name);
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe would wait for a writer
    const stat = await file.stat();
    if (!stat.isFile()) return fault(`${path} is not a file`);
    if (stat.size === 0) return fault(`${path} is empty`);
    if (stat.size > maxBytes[name]) return fault(`${path} is larger than ${maxBytes[name]} bytes`);
    return { ok: true, value: await file.readFile() };
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    return fault(missing ? `${path} is missing` : `${path} cannot be read: ${String(cause)}`);
  }
}

/** The SHA-256 of the files that a manifest is for, hex. Without it, one that was written halfway would lend its `content` to other rules. */
export type BundleDigests = Readonly<Record<'data.json' | 'policy.wasm', string>>;

interface Manifest extends Pick<Bundle, 'content'> {
  readonly revision: string;
  readonly digests: Partial<BundleDigests>;
}

/** Other members are OPA's own, or later ones of ours. */
function readManifest(bytes: Uint8Array): Read<Manifest> {
  const object = parseObject(bytes);
  if (typeof object === 'string') return fault(`.manifest ${object}`);
  const { revision, entrypoint, content, digests } = object;
  if (typeof revision !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(revision))
    return fault('.manifest has no revision of 1 to 128 visible ASCII characters');
  if (entrypoint !== ENTRYPOINT)
    return fault(`.manifest does not name the entrypoint ${ENTRYPOINT}: build it with writ policy build`);
  if (!isContentList(content))
    return fault('.manifest does not say what content rules read: build it with writ policy build');
  return { ok: true, value: { revision, content, digests: Object(digests) as Partial<BundleDigests> } }; // compared with texts
}

/** A member that this release does not know is a fault: nobody would read it. */
function isContentList(value: unknown): value is readonly ContentMember[] {
  const known: ReadonlySet<unknown> = new Set(contentMembers);
  return Array.isArray(value) && value.every((name) => known.has(name));
}

function faultOfData(bytes: Uint8Array): string | undefined {
  const object = parseObject(bytes);
  return typeof object === 'string' ? object : undefined;
}

/** A JSON object, or the words for what it is instead. Floats are fine: only the bytes are ever hashed. */
function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | string {
  const text = decodeUtf8(bytes);
  if (text === undefined) return 'is not UTF-8';
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not a JSON object';
    const fault = faultInText(text);
    if (fault !== undefined) return `is not strict JSON: ${fault}`;
    return { ...value };
  } catch (cause) {
    return `is not JSON: ${cause instanceof Error ? cause.message : 'unreadable'}`;
  }
}

async function compile(bytes: Uint8Array): Promise<Read<WebAssembly.Module>> {
  try {
    const module = await WebAssembly.compile(bytes);
    const wrong = moduleFault(module);
    return wrong ? fault(`policy.wasm ${wrong}`) : { ok: true, value: module };
  } catch (cause) {
    return fault(
      `policy.wasm is not a whole WebAssembly module: ${cause instanceof Error ? cause.message : 'unreadable'}`,
    );
  }
}

/** How a bundle is named on record and in a grant's `policy` claim (formats.md §2). */
export function identify(revision: string, files: BundleFiles): BundleIdentity {
  const wasm = sha256Hex(files['policy.wasm']);
  const data = sha256Hex(files['data.json']);
  const digest = identifyRecorded({ data, entrypoint: ENTRYPOINT, wasm });
  return { revision, wasm, data, entrypoint: ENTRYPOINT, digest };
}

/** The digest of a bundle from what stands on record of it. */
export function identifyRecorded(recorded: Pick<BundleIdentity, 'data' | 'entrypoint' | 'wasm'>): string {
  const { data, entrypoint, wasm } = recorded;
  return sha256Hex(canonicalJson({ data, entrypoint, wasm }));
}
