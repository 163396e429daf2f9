/** Modules as they are shipped (`dist/`, made by `npm run build`): figures of what nobody runs would say nothing. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One of them by its path without `.js`, typed as its source. */
export async function compiled<Module>(path: string): Promise<Module> {
  const file = join(import.meta.dirname, '../../dist', `${path}.js`);
  return (await import(pathToFileURL(file).href)) as Module; // tsc made it from that source
}
