/** What is wrong with a policy, and where. */

/** One fault. Line and column count from 1; line 0 means the folder as a whole, and `file` is then empty. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** How many characters of that line are meant; 0 where unknown. */
  readonly length: number;
  /** OPA's (`rego_parse_error` …) or one of our author rules (`builtin_can_fail` …). */
  readonly code: string;
  readonly message: string;
}

/** A policy that is wrong is a value, not an exception. */
export type Compiled<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly Fault[] };

/** A fault as `file:line:column: code: message`, for logs. */
export function faultText({ file, line, column, code, message }: Fault): string {
  const place = line > 0 ? `${file}:${line}:${column}: ` : file ? `${file}: ` : '';
  return `${place}${code}: ${message}`;
}
