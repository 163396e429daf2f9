/** The project's own files: everything a commit could hold. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';

const SKIPPED = new Set(['.git', '.tap', '.writ', '.cache', 'dist', 'node_modules', 'coverage']);
const TEXT = new Set(
  '.ts .js .cjs .mjs .json .md .yaml .yml .sh .go .mod .sum .rego .html .css .txt .toml .svg'.split(' '),
);

/** One text file. */
export interface ProjectFile {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** All text files under a folder of the project. Files without an extension count as text, too. */
export function projectFiles(root: string, under = '.'): readonly ProjectFile[] {
  return readdirSync(join(root, under), { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name);
    if (SKIPPED.has(entry.name)) return [];
    if (entry.isDirectory()) return projectFiles(root, path);
    const text = TEXT.has(extname(entry.name)) || extname(entry.name) === '';
    if (!entry.isFile() || !text) return [];
    return [
      { path: relative('.', path).replaceAll('\\', '/'), text: readFileSync(join(root, path), 'utf8') },
    ];
  });
}
