/** How this program is called in the commands that it prints, so that they can be pasted as they stand. */
import { join, relative } from 'node:path';
import { shellWord } from './home-flag.ts';

/**
 * `writ` where it is installed (the image); `npx writ` in a checkout, or where npx ran it. From a folder outside of the
 * checkout npx would look for another package of that name, so there the file itself is named.
 */
export function ownCommand(): string {
  const { npm_command } = process.env;
  if (!import.meta.url.endsWith('.ts')) return npm_command === undefined ? 'writ' : 'npx writ';
  const root = join(import.meta.dirname, '../..');
  if (!relative(root, process.cwd()).startsWith('..')) return 'npx writ';
  return `node ${shellWord(join(root, 'src/cli/bin.js'))}`;
}
