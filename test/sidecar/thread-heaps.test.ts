/** With the flags of the image: main's young generation is as they say, a thread's is small. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { IMAGE_FLAGS } from '../image-flags.ts';

const CHILD = fileURLToPath(new URL('young-heaps.ts', import.meta.url));

t.test('the young generation of a thread is small, and main’s stays as it was', (t) => {
  const { stdout, stderr } = spawnSync(process.execPath, [...IMAGE_FLAGS, CHILD], { encoding: 'utf8' });
  t.equal(stderr, '');
  const { main, before, after } = JSON.parse(stdout) as Record<'main' | 'before' | 'after', number>;
  const mib = 2 ** 20;
  t.ok(main > 10 * mib, `main: ${main}`);
  t.ok(before > 10 * mib, `a thread that started before: ${before}`);
  t.ok(after < 10 * mib, `a thread that started later: ${after}`); // two spaces, and pages that are not given back yet
  t.end();
});
