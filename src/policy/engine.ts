/**
 * One policy, evaluated inline under the guards of formats.md §6. An endless rule blocks the thread it runs on, so that
 * outside of tests an engine lives in a policy thread (policy-thread.ts).
 */
import type { Json } from '../crypto/json.ts';
import { deny } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { readAnswer } from './answer.ts';
import { ENTRYPOINT } from './bundle.ts';
import type { Bundle, BundleFault } from './bundle.ts';
import type { Decision } from './decision.ts';
import { instantiate } from './instance.ts';
import type { Instance } from './instance.ts';

/** What bounds an engine. */
export interface EngineLimits {
  /** UTF-8 bytes of one input document. */
  readonly inputBytes: number;
  /** Bytes of an instance's memory, its data included. An evaluation that needs more is denied. */
  readonly memoryBytes: number;
  /** WASM memory never shrinks: an instance that has grown by more than this is replaced. */
  readonly growthBytes: number;
  /** After so many evaluations an instance is replaced. */
  readonly evaluations: number;
}

const MIB = 1024 * 1024;

/** The usual limits. */
export const engineLimits: EngineLimits = {
  inputBytes: MIB,
  memoryBytes: 256 * MIB,
  growthBytes: 16 * MIB,
  evaluations: 1_000_000,
};

/** An opened engine, or why the bundle cannot be used. */
export type Opened = { readonly ok: true; readonly engine: Engine } | BundleFault;

const utf8 = new TextEncoder();

/** Evaluates one bundle, on one instance after another. */
export class Engine {
  readonly #bundle: Bundle;
  readonly #limits: EngineLimits;
  #instance: Instance;
  #loadedBytes: number;
  #evaluationsLeft: number;

  private constructor(bundle: Bundle, limits: EngineLimits) {
    this.#bundle = bundle;
    this.#limits = limits;
    this.#instance = instantiate(bundle, limits.memoryBytes);
    this.#loadedBytes = this.#instance.mem.buffer.byteLength;
    this.#evaluationsLeft = limits.evaluations;
  }

  /** Loads the bundle, and checks what only an instance can tell: its ABI, entrypoints and builtins. */
  static open(bundle: Bundle, limits: EngineLimits = engineLimits): Opened {
    try {
      return { ok: true, engine: new Engine(bundle, limits) };
    } catch (cause) {
      return { ok: false, fault: `policy.wasm cannot be loaded: ${describe(cause)}` };
    }
  }

  /** The decision on one input document, JSON text. Never throws. */
  evaluate(inputText: string): Outcome<Decision> {
    const input = utf8.encode(inputText);
    if (input.length > this.#limits.inputBytes)
      return deny('policy_input_too_large', `${input.length} bytes of policy input`);
    if (this.#bundle.content.length > 0 && !hasReadableContent(inputText))
      return deny('policy_content_unread', 'the policy reads content, and there is none that was parsed');
    try {
      this.renew();
      this.#evaluationsLeft--;
      const resultSet = this.#instance.evaluate(exactBuffer(input), ENTRYPOINT);
      return readAnswer(resultSet as Json | undefined); // parsed from JSON by opa-wasm
    } catch (cause) {
      this.#evaluationsLeft = 0; // whatever it was doing, it is half done
      return deny('policy_failed', describe(cause));
    }
  }

  /** Replaces an instance that is spent, has grown or broke off; does nothing otherwise. Throws where that fails. */
  renew(): void {
    const grown = this.#instance.mem.buffer.byteLength - this.#loadedBytes;
    if (this.#evaluationsLeft > 0 && grown <= this.#limits.growthBytes) return;
    this.#instance = instantiate(this.#bundle, this.#limits.memoryBytes);
    this.#loadedBytes = this.#instance.mem.buffer.byteLength;
    this.#evaluationsLeft = this.#limits.evaluations;
  }
}

/** opa-wasm takes bytes as an ArrayBuffer only, and all of it. */
function exactBuffer(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
  return bytes.length === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

/** Whether `call.content` is one that a rule may rely on: no body at all, or a parsed one. */
function hasReadableContent(inputText: string): boolean {
  try {
    const input = JSON.parse(inputText) as { call?: { content?: { state?: unknown } } } | null; // checked step by step
    const state = input?.call?.content?.state;
    return state === 'none' || state === 'parsed';
  } catch {
    return false;
  }
}

const MAX_DETAIL = 500;

/** opa-wasm throws errors, strings and bare objects. */
function describe(cause: unknown): string {
  const text =
    typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : String(cause);
  return text.slice(0, MAX_DETAIL);
}
