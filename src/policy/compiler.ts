/** The real OPA, as typed calls: text in, WASM or faults out. Nothing it is given touches a disk. */
import { decodeUtf8, encodeUtf8 } from '../crypto/bytes.ts';
import { hostBuiltins } from './builtins.ts';
import { CompilerWorker, type WorkerLimits } from './compiler-worker.ts';
import type { Compiled, Fault } from './fault.ts';

/** Policy text by relative, slash-separated path: *.rego, data.json, data.yaml. */
export type PolicyFiles = Readonly<Record<string, string>>;

/** An author's files, and what Writ compiles with them. */
export interface PolicySource {
  readonly files: PolicyFiles;
  /** Writ's own files, below `writ/`: exempt from the author rules, their tests not run. Absent: no author rules. */
  readonly base?: PolicyFiles;
  /** JSON Schema text of the input document; absent leaves input untyped. */
  readonly schema?: string;
}

/** What the engine must know of a policy before it evaluates it once. */
export interface PolicyNeeds {
  /** `allow` is defined, so it must be true. */
  readonly allow: boolean;
  /** The members of `input.call.content` that a rule may read, sorted. */
  readonly content: readonly string[];
}

/** A compiled policy. */
export interface WasmPolicy {
  readonly wasm: Uint8Array;
  /** The bytes of data.json. */
  readonly data: Uint8Array;
  /** Present where the author rules ran. */
  readonly needs?: PolicyNeeds;
  /** Files that the compiler added, for those who want to build the same with another OPA. */
  readonly generated: PolicyFiles;
}

/** One test rule's outcome. */
export interface TestResult {
  readonly file: string;
  readonly line: number;
  readonly package: string;
  readonly name: string;
  readonly outcome: 'pass' | 'fail' | 'error' | 'skip';
  readonly message?: string;
  /** What it printed. */
  readonly output?: string;
  readonly duration_ns: number;
}

/** Lines covered by tests, by file; percentages of 0 to 100. */
export interface Coverage {
  readonly coverage: number;
  readonly covered_lines?: number;
  readonly not_covered_lines?: number;
  readonly files: Readonly<Record<string, FileCoverage>>;
}

/** One file's covered and uncovered ranges of lines. */
export interface FileCoverage {
  readonly coverage?: number;
  readonly covered?: readonly LineRange[];
  readonly not_covered?: readonly LineRange[];
}

/** Lines from `start.row` to `end.row`, both included. */
export interface LineRange {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}

/** All tests of a folder. */
export interface TestRun {
  readonly tests: readonly TestResult[];
  readonly coverage?: Coverage;
}

/** A query's answer: no value where it is undefined. */
export interface QueryResult {
  readonly defined: boolean;
  readonly values: readonly unknown[];
  /** How it came about, as text; empty where no trace was asked for. */
  readonly trace: string;
}

/** The compiler's answer as it comes: each verb fills its own members. */
interface Response {
  readonly ok: boolean;
  readonly faults?: readonly Fault[];
  readonly wasm?: string;
  readonly data?: string;
  readonly generated?: PolicyFiles;
  readonly needs?: PolicyNeeds;
  readonly files?: PolicyFiles;
  readonly tests?: readonly TestResult[];
  readonly coverage?: Coverage;
  readonly result?: readonly unknown[];
  readonly defined?: boolean;
  readonly trace?: string;
  readonly capabilities?: unknown;
}

const defaultLimits: WorkerLimits = { idle: 10_000, deadline: 60_000 };

/** The embedded OPA. Calls reject only where the compiler itself broke; a wrong policy is a value. */
export class Compiler {
  readonly #worker: CompilerWorker;

  constructor(limits: Partial<WorkerLimits> = {}) {
    this.#worker = new CompilerWorker({ ...defaultLimits, ...limits });
  }

  /** Compiles to WASM, as `opa build --target wasm` would from the same relative paths, after every check. */
  async build(source: PolicySource, entrypoints: readonly string[]): Promise<Compiled<WasmPolicy>> {
    const response = await this.#ask('build', source, { entrypoints });
    const { faults, wasm, data, generated = {}, needs } = response;
    if (!response.ok || wasm === undefined || data === undefined) return refused(faults);
    const value = { wasm: Buffer.from(wasm, 'base64'), data: Buffer.from(data, 'base64'), generated };
    return { ok: true, value: needs ? { ...value, needs } : value };
  }

  /** Every check that a build makes, without building. */
  async check(source: PolicySource): Promise<Compiled<PolicyNeeds | undefined>> {
    const { ok, faults, needs } = await this.#ask('check', source, {});
    return ok ? { ok, value: needs } : refused(faults);
  }

  /** The files whose layout is not OPA's own, as it would be. */
  async format(files: PolicyFiles): Promise<Compiled<PolicyFiles>> {
    const response = await this.#ask('fmt', { files }, {});
    return response.ok ? { ok: true, value: response.files ?? {} } : refused(response.faults);
  }

  /** Runs the tests; `run` is a regular expression (RE2) over their full names. */
  async test(
    source: PolicySource,
    options: { readonly run?: string; readonly coverage?: boolean } = {},
  ): Promise<Compiled<TestRun>> {
    const { ok, faults, tests = [], coverage } = await this.#ask('test', source, options);
    if (!ok) return refused(faults);
    return { ok, value: coverage ? { tests, coverage } : { tests } };
  }

  /** Evaluates a query such as `data.writ.decision`; `input` is any JSON value. */
  async evaluate(
    source: PolicySource,
    options: { readonly query: string; readonly input?: unknown; readonly trace?: boolean },
  ): Promise<Compiled<QueryResult>> {
    const { ok, faults, result = [], defined = false, trace = '' } = await this.#ask('eval', source, options);
    return ok ? { ok, value: { defined, values: result, trace } } : refused(faults);
  }

  /** OPA's capabilities document for what runs here. */
  async capabilities(): Promise<unknown> {
    return (await this.#ask('capabilities', { files: {} }, {})).capabilities;
  }

  /** Ends the worker now instead of when it is idle. */
  close(): Promise<void> {
    return this.#worker.close();
  }

  async #ask(verb: string, source: PolicySource, options: object): Promise<Response> {
    const { files, base, schema } = source;
    const request = {
      verb,
      files,
      ...(base === undefined ? {} : { base }),
      builtins: hostBuiltins,
      ...(schema === undefined ? {} : { schema: JSON.parse(schema) as unknown }),
      rules: base !== undefined,
      ...options,
    };
    const text = decodeUtf8(await this.#worker.run(encodeUtf8(JSON.stringify(request))));
    return JSON.parse(text ?? '') as Response; // our own program wrote it: protocol.go
  }
}

function refused(faults: readonly Fault[] | undefined): {
  readonly ok: false;
  readonly faults: readonly Fault[];
} {
  return { ok: false, faults: faults ?? [] };
}
