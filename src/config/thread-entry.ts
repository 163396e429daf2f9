/** Where a thread's entry file lies. It has this module's own ending: `.ts` in a checkout, `.js` in `dist/`. */
export function threadEntry(name: 'compiler' | 'policy' | 'scan' | 'uses' | 'writer'): URL {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  return new URL(`../thread/${name}${ending}`, import.meta.url);
}
