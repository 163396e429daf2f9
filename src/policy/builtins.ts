/** The builtins that the host lends a policy, beyond those that OPA compiles into the module itself. */

/** What opa-wasm brings by itself, and all that a policy may use beyond them: the compiler refuses the rest, at file and line. */
export const hostBuiltins: readonly string[] = [
  'regex.split',
  'sprintf',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
];
