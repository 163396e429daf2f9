/** What every `writ policy` command starts with: a folder's files, and a compiler. */
import { fileFault } from '../../config/file-fault.ts';
import { Compiler, type PolicyFiles } from '../../policy/compiler.ts';
import { readPolicyFolder } from '../../policy/source.ts';
import { unable } from '../exit.ts';

/** A folder's files. */
export async function policyFiles(folder: string): Promise<PolicyFiles> {
  try {
    return await readPolicyFolder(folder);
  } catch (cause) {
    throw unable(`cannot read ${folder}: ${fileFault(cause)}`);
  }
}

/** Runs one piece of work with a compiler that ends with it, so that the command ends too. */
export async function withCompiler<T>(use: (compiler: Compiler) => Promise<T>): Promise<T> {
  const compiler = new Compiler();
  try {
    return await use(compiler);
  } finally {
    await compiler.close();
  }
}
