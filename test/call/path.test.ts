import fc from 'fast-check';
import t from 'tap';
import { readPath } from '../../src/call/path.ts';
import type { DenialCode } from '../../src/denial/table.ts';

const refused: readonly (readonly [path: string, code: DenialCode])[] = [
  ['', 'path_bytes'],
  ['a', 'path_bytes'],
  ['/a b', 'path_bytes'],
  ['/a"', 'path_bytes'],
  ['/<a>', 'path_bytes'],
  ['/a\\b', 'path_bytes'],
  ['/a^b', 'path_bytes'],
  ['/a`b', 'path_bytes'],
  ['/{a}', 'path_bytes'],
  ['/a|b', 'path_bytes'],
  ['/[a]', 'path_bytes'],
  ['/a?b', 'path_bytes'],
  ['/a#b', 'path_bytes'],
  ['/a\0', 'path_bytes'],
  ['/ä', 'path_bytes'],
  ['/%', 'path_bytes'],
  ['/%2', 'path_bytes'],
  ['/%zz', 'path_bytes'],
  ['/%u002e', 'path_bytes'],
  ['/%00', 'path_bytes'],
  ['/a%5cb', 'path_bytes'],
  ['/a%5Cb', 'path_bytes'],
  ['/%ff', 'path_bytes'],
  ['/%c0%af', 'path_bytes'],
  ['/%e0%80%ae', 'path_bytes'],
  ['/%ed%a0%80', 'path_bytes'],
  ['/a%2fb', 'path_encoded_slash'],
  ['/a%2Fb', 'path_encoded_slash'],
  ['/.', 'path_dot_segment'],
  ['/..', 'path_dot_segment'],
  ['/a/../b', 'path_dot_segment'],
  ['/a/./b', 'path_dot_segment'],
  ['/a/..', 'path_dot_segment'],
  ['/%2e%2e/a', 'path_dot_segment'],
  ['/.%2E/a', 'path_dot_segment'],
  ['/%2e', 'path_dot_segment'],
  ['/a/..;/b', 'path_dot_segment'],
  ['/a/..;x=1/b', 'path_dot_segment'],
  ['/a/.;/b', 'path_dot_segment'],
  ['/a/%2e%2e%3b/b', 'path_dot_segment'],
  ['//', 'path_empty_segment'],
  ['//admin', 'path_empty_segment'],
  ['/a//b', 'path_empty_segment'],
  ['/%2541', 'path_ambiguous'],
  ['/%252e%252e', 'path_ambiguous'],
  ['/%252f', 'path_ambiguous'],
  ['/%2500', 'path_ambiguous'],
  ['/%41', 'path_ambiguous'],
  ['/%7e', 'path_ambiguous'],
  ['/%7Euser', 'path_ambiguous'],
  ['/%2d', 'path_ambiguous'],
  ['/%5f', 'path_ambiguous'],
  ['/%30', 'path_ambiguous'],
  ['/a%2e', 'path_ambiguous'],
];

for (const [path, code] of refused) {
  t.test(`${JSON.stringify(path)} is refused with ${code}`, async (t) => {
    t.match(readPath(path), { ok: false, code });
  });
}

t.test('every encoded unreserved character is refused, and no other one', async (t) => {
  for (let byte = 1; byte < 0x80; byte++) {
    const path = `/a%${byte.toString(16).padStart(2, '0')}b`;
    const read = readPath(path);
    const unreserved = /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte));
    t.equal(!read.ok && read.code === 'path_ambiguous', unreserved, path);
  }
});

t.test('an encoded slash that a route lets through stays inside its segment', async (t) => {
  const lenient = { encoded_slash: 'segment' } as const;
  t.same(readPath('/@scope%2fname/1', lenient), { ok: true, value: ['@scope/name', '1'] });
  t.match(readPath('/a%2f..%2fb', lenient), { code: 'path_dot_segment' });
  t.match(readPath('/a%2f%2e%2e', lenient), { code: 'path_dot_segment' });
  t.match(readPath('/a%2F%2fb', lenient), { code: 'path_empty_segment' });
  t.match(readPath('/a/%2fb', lenient), { code: 'path_empty_segment' });
  t.match(readPath('/a%5cb', lenient), { code: 'path_bytes' });
});

t.test('segments are split first and decoded once', async (t) => {
  t.same(readPath('/'), { ok: true, value: [''] });
  t.same(readPath('/a/'), { ok: true, value: ['a', ''] });
  t.same(readPath("/a;v=1/b,c/@x/!$&'()*+=:~"), { ok: true, value: ['a;v=1', 'b,c', '@x', "!$&'()*+=:~"] });
  t.same(readPath('/caf%C3%A9/a%20b'), { ok: true, value: ['café', 'a b'] });
  t.same(readPath('/.../.a/a..'), { ok: true, value: ['...', '.a', 'a..'] });
  t.same(readPath('/100%25'), { ok: true, value: ['100%'] });
});

const spelling = fc.oneof(
  fc.string().map((text) => `/${text}`),
  fc
    .string({ unit: fc.constantFrom('/', '.', '%2e', '%2f', '%25', '41', ';', 'a', '%C3%A9', '\\', '%3b') })
    .map((text) => `/${text}`),
  fc.webPath(),
);

t.test(
  'whatever is accepted is left as it is by the URL Standard, and decodes to its segments',
  async (t) => {
    let accepted = 0;
    fc.assert(
      fc.property(spelling, fc.boolean(), (path, lenient) => {
        const segments = readPath(path, lenient ? { encoded_slash: 'segment' } : {});
        if (!segments.ok) return true;
        accepted++;
        const url = new URL(`http://a.test${path}`);
        const again = segments.value.map(encodeURIComponent).join('/');
        return (
          url.pathname === path &&
          url.search === '' &&
          path.split('/').length === segments.value.length + 1 &&
          decodeURIComponent(again) === decodeURIComponent(path.slice(1))
        );
      }),
      { numRuns: 5000 },
    );
    t.ok(accepted > 500, 'enough were accepted for this to mean something');
  },
);
