/** What a policy module may ask of its host and must offer it: OPA's WebAssembly ABI, and nothing beside it. */

/** Everything OPA's compiler imports. A module that wants more (a console, a clock, WASI) is refused. */
const allowedImports: ReadonlySet<string> = new Set([
  'env.memory:memory',
  'env.opa_abort:function',
  'env.opa_builtin0:function',
  'env.opa_builtin1:function',
  'env.opa_builtin2:function',
  'env.opa_builtin3:function',
  'env.opa_builtin4:function',
]);

const neededExports: readonly string[] = [
  'opa_wasm_abi_version:global',
  'opa_wasm_abi_minor_version:global',
  'builtins:function',
  'entrypoints:function',
  'eval:function',
  'opa_eval_ctx_new:function',
  'opa_eval_ctx_set_input:function',
  'opa_eval_ctx_set_data:function',
  'opa_eval_ctx_set_entrypoint:function',
  'opa_eval_ctx_get_result:function',
  'opa_malloc:function',
  'opa_heap_ptr_get:function',
  'opa_heap_ptr_set:function',
  'opa_json_parse:function',
  'opa_json_dump:function',
];

/** Why a compiled module is no policy, in words that follow the file's name; undefined where its borders are right. */
export function moduleFault(module: WebAssembly.Module): string | undefined {
  const imports = WebAssembly.Module.imports(module);
  const foreign = imports.find(
    ({ module: from, name, kind }) => !allowedImports.has(`${from}.${name}:${kind}`),
  );
  if (foreign) return `imports ${foreign.module}.${foreign.name}, which policies are not given`;
  if (!imports.some(({ kind }) => kind === 'memory')) return 'does not let its host limit its memory';
  const offered = new Set(WebAssembly.Module.exports(module).map(({ name, kind }) => `${name}:${kind}`));
  const missing = neededExports.find((name) => !offered.has(name));
  return missing && `does not export ${missing.split(':')[0] ?? missing}: it is not an OPA policy`;
}
