/** The border to opa-wasm: one loaded instance, with what formats.md §6 says of it put right. */
import * as opaWasm from '@open-policy-agent/opa-wasm';
import { hostBuiltins } from './builtins.ts';
import type { Bundle } from './bundle.ts';
import { ENTRYPOINT } from './bundle.ts';

/** A policy loaded with its data; opa-wasm's own types are `any` or do not resolve. */
export interface Instance {
  readonly mem: WebAssembly.Memory;
  /** The result set. Throws strings, bare objects and errors when the policy or the glue breaks off. */
  evaluate(input: ArrayBuffer, entrypoint: string): unknown;
}

interface LoadedPolicy extends Instance {
  minorVersion: number;
  wasmInstance: { readonly exports: WebAssembly.Instance['exports'] };
  readonly entrypoints: unknown;
  setData(data: ArrayBuffer): void;
}

interface OpaWasm {
  loadPolicySync(
    module: WebAssembly.Module,
    memory: WebAssembly.MemoryDescriptor,
    builtins: Readonly<Record<string, unknown>>,
  ): LoadedPolicy;
}

// Its declarations promise names that its ES module lacks; all of it hangs on the default export.
const { default: opa } = opaWasm as unknown as { readonly default: OpaWasm };

const PAGE_BYTES = 65536;
const INITIAL_PAGES = 5;
/** Ten times what 16 reasons and 64 obligations need. */
const MAX_ANSWER_BYTES = 65536;

/** Loads a bundle into at most so much memory. Throws anything at all where it does not load. */
export function instantiate(bundle: Bundle, memoryBytes: number): Instance {
  const memory = {
    initial: INITIAL_PAGES,
    maximum: Math.max(INITIAL_PAGES, Math.floor(memoryBytes / PAGE_BYTES)),
  };
  const policy = opa.loadPolicySync(bundle.module, memory, {});
  const wrong = policyFault(policy);
  if (wrong) throw new Error(wrong);
  // The ABI's fast path since 1.2 takes an input that it cannot parse for none at all; the path before it throws.
  policy.minorVersion = 1;
  policy.setData(bundle.data);
  policy.wasmInstance = { exports: withShortAnswers(policy) };
  return policy;
}

/** opa-wasm reads an answer up to its NUL, however long it is or where there is none, and parses all of it. */
function withShortAnswers({ mem, wasmInstance: { exports } }: LoadedPolicy): WebAssembly.Instance['exports'] {
  const { opa_json_dump: dump } = exports;
  if (typeof dump !== 'function') throw new Error('it is not an OPA policy');
  const dumpShort = (value: number): number => {
    const address = Number(dump(value));
    const end = new Uint8Array(mem.buffer).subarray(address, address + MAX_ANSWER_BYTES).indexOf(0);
    if (end < 0) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    return address;
  };
  return { ...exports, opa_json_dump: dumpShort };
}

function policyFault(policy: LoadedPolicy): string | undefined {
  const { opa_wasm_abi_version: major, opa_wasm_abi_minor_version: minor } = policy.wasmInstance.exports;
  if (globalValue(major) !== 1 || !(globalValue(minor) >= 2))
    return `it has ABI ${globalValue(major)}.${globalValue(minor)}, not 1.2 or a later 1.x`;
  if (!hasMember(policy.entrypoints, ENTRYPOINT)) return `it has no entrypoint ${ENTRYPOINT}`;
  const foreign = neededBuiltins(policy).find((name) => !hostBuiltins.includes(name));
  return foreign && `it calls the builtin ${foreign}, which policies are not given`;
}

function globalValue(exported: unknown): number {
  const isGlobal = typeof exported === 'object' && exported !== null && 'value' in exported;
  return isGlobal && typeof exported.value === 'number' ? exported.value : NaN;
}

/** opa-wasm reads this list too, but keeps it to itself and fails only when a missing builtin is reached. */
function neededBuiltins({ mem, wasmInstance }: LoadedPolicy): readonly string[] {
  const { builtins, opa_json_dump: dump } = wasmInstance.exports;
  if (typeof builtins !== 'function' || typeof dump !== 'function')
    throw new Error('it is not an OPA policy');
  const address: unknown = dump(builtins());
  const bytes = new Uint8Array(mem.buffer);
  const end = bytes.indexOf(0, Number(address));
  const listed: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(Number(address), end)));
  return Object.keys(Object(listed));
}

function hasMember(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
}
