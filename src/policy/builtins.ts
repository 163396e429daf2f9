/** The builtins that the host lends a policy, beyond those that OPA compiles into the module itself. */

/** A builtin's implementation. It must be total: a throw aborts the evaluation, `undefined` makes the call undefined. */
export type Builtin = (...operands: readonly unknown[]) => unknown;

/** Ours, registered when a policy is loaded. Names and types must be OPA's, so that tests mean what calls do. */
export const customBuiltins: Readonly<Record<string, Builtin>> = {};

/** What opa-wasm brings by itself; it cannot be overridden. */
const shippedBuiltins = [
  'regex.split',
  'sprintf',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
] as const;

/** Every builtin a policy may use that is not native to WASM: the compiler refuses the rest, at file and line. */
export const hostBuiltins: readonly string[] = [...shippedBuiltins, ...Object.keys(customBuiltins)].sort();
