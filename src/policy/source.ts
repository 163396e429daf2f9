/** A policy folder on disk, read into a map: the only place where policy text comes from files. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { decodeUtf8 } from '../crypto/bytes.ts';
import type { PolicyFiles } from './compiler.ts';

const dataNames = new Set(['data.json', 'data.yaml']);

const MAX_FILES = 4096;

/**
 * Every .rego file and every data.json or data.yaml below a folder, by relative path with `/`, sorted. Hidden files and
 * folders are left out. Other JSON and YAML files come too, so that the compiler can refuse them: a policy that misses
 * its data would refuse less than its author thinks. Throws where the folder cannot be read.
 */
export async function readPolicyFolder(folder: string): Promise<PolicyFiles> {
  const names = await readdir(folder, { recursive: true });
  const paths = names.filter(isPolicyFile).sort();
  if (paths.length > MAX_FILES) throw new Error(`${folder} holds more than ${MAX_FILES} policy files`);
  const files = await Promise.all(paths.map(async (path) => read(folder, path)));
  return Object.fromEntries(files.flat());
}

function isPolicyFile(path: string): boolean {
  if (path.split(sep).some((part) => part.startsWith('.'))) return false;
  return dataNames.has(basename(path)) || /\.(rego|json|ya?ml)$/.test(path);
}

async function read(folder: string, path: string): Promise<(readonly [string, string])[]> {
  const full = join(folder, path);
  if (!(await stat(full)).isFile()) return [];
  const text = decodeUtf8(await readFile(full));
  if (text === undefined) throw new Error(`${full} is not UTF-8`);
  return [[path.split(sep).join('/'), text]];
}
