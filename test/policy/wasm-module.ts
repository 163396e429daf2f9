/** Tiny WebAssembly modules with OPA's ABI, written byte by byte: what a broken or hostile compiler might emit. */

/** How a module differs from a policy that always allows. */
export interface ModuleShape {
  /** The result set that it gives, as text. */
  readonly answer?: string;
  /** The result set from the second evaluation of one instance on. */
  readonly laterAnswer?: string;
  /** What `eval` does first, with the input's address in global 0. */
  readonly evaluate?: readonly number[];
  readonly major?: number;
  readonly minor?: number;
  /** JSON text: entrypoint names with their numbers. */
  readonly entrypoints?: string;
  /** JSON text: names of needed host builtins with their numbers. */
  readonly builtins?: string;
  /** One more import of a function without operands. */
  readonly extraImport?: readonly [module: string, name: string];
  /** Exports left out. */
  readonly without?: readonly string[];
  /** A start function: runs while the module is instantiated. */
  readonly start?: readonly number[];
  /** What `opa_json_parse` answers instead of its operand. */
  readonly parsed?: number;
}

const op = { loop: 0x03, if: 0x04, end: 0x0b, br: 0x0c, call: 0x10, drop: 0x1a } as const;
const I32 = 0x7f;
const VOID = 0x40;

/** `eval` bodies. The conditional ones look at the input's first byte. */
export const bodies = {
  nothing: [],
  endless: [op.loop, VOID, op.br, 0, op.end],
  trap: [0x00],
  endlessOn: (letter: string) => whenInputStartsWith(letter, [op.loop, VOID, op.br, 0, op.end]),
  trapOn: (letter: string) => whenInputStartsWith(letter, [0x00]),
  /** Grows the memory; a trap where that fails. */
  grow: (pages: number) => [
    ...constant(pages),
    0x40, // memory.grow
    0,
    ...constant(-1),
    0x46, // i32.eq
    op.if,
    VOID,
    0x00,
    op.end,
  ],
  /** Calls `opa_abort` (function 0) with the address of the entrypoints' text. */
  abort: [...constant(2048), op.call, 0],
} as const;

/** The bytes of a module. */
export function wasmModule(shape: ModuleShape = {}): Uint8Array {
  const extra = shape.extraImport;
  const first = extra ? 2 : 1; // imported functions come first in the index space
  const functions = abiFunctions(shape);
  const withStart = shape.start ? [...functions, { name: '', type: 0, code: shape.start }] : functions;
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imports(extra))),
    ...section(3, vector(withStart.map(({ type }) => [type]))),
    ...section(6, vector([variable(0), variable(0), fixed(shape.major ?? 1), fixed(shape.minor ?? 2)])),
    ...section(7, vector(exported(functions, { first, without: shape.without ?? [] }))),
    ...(shape.start ? section(8, unsigned(first + functions.length)) : []),
    ...section(10, vector(withStart.map(({ code }) => body(code)))),
    ...section(11, vector(texts(shape).map(([address, text]) => data(address, text)))),
  ]);
}

const types = [
  [0x60, 0, 0], // () → ()
  [0x60, 0, 1, I32],
  [0x60, 1, I32, 1, I32],
  [0x60, 2, I32, I32, 1, I32],
  [0x60, 1, I32, 0],
  [0x60, 2, I32, I32, 0],
] as const;

const INPUT = 0;
const COUNT = 1;
const address = {
  builtins: 1024,
  entrypoints: 2048,
  answer: 4096,
  laterAnswer: 81920,
  heap: 196608,
} as const;

interface AbiFunction {
  readonly name: string;
  readonly type: number;
  readonly code: readonly number[];
}

function abiFunctions(shape: ModuleShape): readonly AbiFunction[] {
  const local = (index: number): readonly number[] => [0x20, index];
  return [
    { name: 'builtins', type: 1, code: constant(address.builtins) },
    { name: 'entrypoints', type: 1, code: constant(address.entrypoints) },
    { name: 'opa_malloc', type: 2, code: constant(address.heap) },
    { name: 'opa_heap_ptr_get', type: 1, code: constant(address.heap) },
    { name: 'opa_heap_ptr_set', type: 4, code: [] },
    {
      name: 'opa_json_parse',
      type: 3,
      code: shape.parsed === undefined ? local(0) : constant(shape.parsed),
    },
    { name: 'opa_json_dump', type: 2, code: local(0) },
    { name: 'opa_eval_ctx_new', type: 1, code: constant(1) },
    { name: 'opa_eval_ctx_set_input', type: 5, code: [...local(1), 0x24, INPUT] },
    { name: 'opa_eval_ctx_set_data', type: 5, code: [] },
    { name: 'opa_eval_ctx_set_entrypoint', type: 5, code: [] },
    { name: 'eval', type: 2, code: [...(shape.evaluate ?? []), ...countUp, ...constant(0)] },
    { name: 'opa_eval_ctx_get_result', type: 2, code: pickAnswer },
  ];
}

const countUp = [0x23, COUNT, ...constant(1), 0x6a, 0x24, COUNT];
const pickAnswer = [
  ...constant(address.laterAnswer),
  ...constant(address.answer),
  ...[0x23, COUNT, ...constant(1), 0x4a], // count > 1
  0x1b, // select
];

function whenInputStartsWith(letter: string, then: readonly number[]): readonly number[] {
  const load = [0x23, INPUT, 0x2d, 0, 0];
  return [...load, ...constant(letter.charCodeAt(0)), 0x46, op.if, VOID, ...then, op.end];
}

function texts(shape: ModuleShape): readonly (readonly [number, string])[] {
  const allow = '[{"result":{"allow":true,"reasons":[],"obligations":[]}}]';
  const answer = shape.answer ?? allow;
  return [
    [address.builtins, shape.builtins ?? '{}'],
    [address.entrypoints, shape.entrypoints ?? '{"writ/decision":0}'],
    [address.answer, answer],
    [address.laterAnswer, shape.laterAnswer ?? answer],
  ];
}

function imports(extra: ModuleShape['extraImport']): readonly (readonly number[])[] {
  const abort = [...name('env'), ...name('opa_abort'), 0, 4];
  const memory = [...name('env'), ...name('memory'), 2, 0, 2];
  return extra ? [abort, [...name(extra[0]), ...name(extra[1]), 0, 0], memory] : [abort, memory];
}

function exported(
  functions: readonly AbiFunction[],
  { first, without }: { readonly first: number; readonly without: readonly string[] },
): readonly (readonly number[])[] {
  const entries = functions.map((item, index) => ({ name: item.name, kind: 0, index: first + index }));
  const globals = ['opa_wasm_abi_version', 'opa_wasm_abi_minor_version'];
  const all = [...entries, ...globals.map((text, index) => ({ name: text, kind: 3, index: 2 + index }))];
  return all
    .filter((item) => !without.includes(item.name))
    .map((item) => [...name(item.name), item.kind, ...unsigned(item.index)]);
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): readonly number[] {
  const bytes = new TextEncoder().encode(text);
  return [...unsigned(bytes.length), ...bytes];
}

function body(code: readonly number[]): readonly number[] {
  const whole = [0, ...code, op.end];
  return [...unsigned(whole.length), ...whole];
}

function data(at: number, text: string): readonly number[] {
  const bytes = [...new TextEncoder().encode(text), 0];
  return [0, ...constant(at), op.end, ...unsigned(bytes.length), ...bytes];
}

function variable(value: number): readonly number[] {
  return [I32, 1, ...constant(value), op.end];
}

function fixed(value: number): readonly number[] {
  return [I32, 0, ...constant(value), op.end];
}

function constant(value: number): readonly number[] {
  return [0x41, ...signed(value)];
}

/** LEB128. */
function unsigned(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): readonly number[] {
  if (value >= -64 && value < 64) return [value & 127];
  return [(value & 127) | 128, ...signed(value >> 7)];
}
