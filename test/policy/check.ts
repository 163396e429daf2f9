/** One compiler for a test file, and policies as short as a row of a table. */
import { withBasePolicy } from '../../src/policy/build.ts';
import { Compiler, type PolicyFiles } from '../../src/policy/compiler.ts';

/** Close it when the file is done. */
export const compiler = new Compiler();

/** A folder of one file, main.rego, whose rules begin at line 3. */
export const policy = (text: string): PolicyFiles => ({ 'main.rego': `package policy\n\n${text}\n` });

/** What is wrong with a folder, as `file:line code`. */
export async function faultsOf(files: PolicyFiles): Promise<readonly string[]> {
  const checked = await compiler.check(await withBasePolicy(files));
  return checked.ok ? [] : checked.faults.map(({ file, line, code }) => `${file}:${line} ${code}`);
}

/** A folder, and what is wrong with it. */
export type FaultRow = readonly [name: string, files: PolicyFiles, faults: readonly string[]];
