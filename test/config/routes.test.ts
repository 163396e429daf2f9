import fc from 'fast-check';
import t from 'tap';
import { placeRoutes } from '../../src/call/route.ts';
import { settingsSchema } from '../../src/config/schema.ts';

interface Given {
  readonly prefix?: string;
  readonly host?: string;
  readonly upstream: string;
}

/** Whether the settings take these routes; and then the call room must, too: a reload never meets one it cannot place. */
function taken(routes: readonly Given[]): boolean {
  const parsed = settingsSchema.safeParse({ routes });
  if (parsed.success)
    placeRoutes(parsed.data.routes.map(({ prefix, host, upstream }) => ({ prefix, host, upstream })));
  return parsed.success;
}

t.test('routes that the settings take', (t) => {
  const rows: Given[] = [
    { upstream: 'http://a.test' },
    { upstream: 'https://api.example.com:8443', prefix: '/github' },
    { upstream: 'http://[::1]:8080', prefix: '/a/b.c/~d' },
    { upstream: 'http://127.0.0.1:1', host: 'git.local' },
    { upstream: 'http://xn--bcher-kva.example', host: 'git.local:8080', prefix: '/' },
    { upstream: 'http://a.test', host: '127.0.0.1:8080' },
  ];
  for (const row of rows) t.ok(taken([row]), JSON.stringify(row));
  t.ok(taken(rows.map((row, i) => ({ ...row, prefix: `/${i}` }))));
  t.end();
});

t.test('routes that the settings refuse', (t) => {
  const upstream = 'http://a.test';
  const rows: Given[] = [
    ...['a.test', 'ftp://a.test', 'http://a.test/x', 'http://A.test', 'http://a.test:80', 'http://u@a.test', 'http://a_b.test', 'http://a.test.', 'http://-a.test', 'http://127.1', 'http://[::0]', 'http://', 'http://a.test?', 'http://bücher.example', `http://${'a'.repeat(64)}.test`].map((text) => ({ upstream: text })),
    ...['A.test', 'a_b', 'a.test.', '.a', 'a..b', '-a', 'a-', 'a:0', 'a:99999', 'a:080', '127.1', '0x7f.1', 'a b', '', '*', 'a/b', 'a@b'].map((host) => ({ upstream, host })),
    ...['', 'x', '/x/', '//', '/x//y', '/..', '/x/../y', '/.', '/a%2fb', '/a b', '/a?b', '/ä'].map((prefix) => ({ upstream, prefix })),
  ]; // prettier-ignore
  for (const row of rows) t.notOk(taken([row]), JSON.stringify(row));
  t.notOk(taken([{ upstream }, { upstream, prefix: '/' }]), 'the same route in two spellings');
  t.end();
});

t.test('whatever the settings take, the call room can place', (t) => {
  const letters = (alphabet: string): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 12 });
  const host = letters('aZ0-._:[]9x%@ ');
  const route = fc.record({ upstream: host.map((text) => `http://${text}`), host, prefix: letters('/a.%~-?').map((text) => `/${text}`) }); // prettier-ignore
  const partly = fc.record({ upstream: fc.constant('http://a.test'), host }).map((given): Given => given);
  let took = 0;
  fc.assert(
    fc.property(fc.oneof(route, partly), (given) => void (took += taken([given]) ? 1 : 0)),
    { numRuns: 5000 },
  );
  t.ok(took > 10, 'some were taken');
  t.end();
});
