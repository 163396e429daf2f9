/** The examples of `docs/verify.md`. */
import { readFileSync } from 'node:fs';

const PAGE = new URL('../../docs/verify.md', import.meta.url);

/** A program, and what it prints. */
export interface Example {
  readonly program: string;
  readonly prints: string;
}

/** Each `js` block with the `text` block that follows it. */
export function examples(): readonly Example[] {
  const found = readFileSync(PAGE, 'utf8').matchAll(/\n```js\n([^]*?)```\n\n```text\n([^]*?)```\n/g);
  return [...found].map(([, program = '', prints = '']) => ({ program, prints }));
}

/** The page for browsers. */
export function examplePage(): string {
  return /\n```html\n([^]*?)```\n/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
}
