/** Which Writ this is. */
import { readFileSync } from 'node:fs';

/** The version in package.json, beside `src/` or `dist/`. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version: found } = JSON.parse(text) as { readonly version: string }; // our own file
  return found;
}
