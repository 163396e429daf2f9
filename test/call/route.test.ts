import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { originRules, placeRoutes } from '../../src/call/route.ts';
import type { RouteSetting, UpstreamRules } from '../../src/call/route.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { forward, makeHead } from './heads.ts';

const routes = placeRoutes([
  { prefix: '/git', upstream: 'https://git.example.com' },
  { prefix: '/git/raw', upstream: 'http://raw.example.com:8080' },
  { prefix: '/npm', upstream: 'https://registry.example.com', encoded_slash: 'segment' },
  { host: 'models.internal', upstream: 'https://models.example.com' },
  { host: 'models.internal:9000', upstream: 'http://[::1]:9000' },
]);

function read(target: string, host = '127.0.0.1:8080', version = '1.1'): ReturnType<typeof readCall> {
  const head = makeHead((parts) => Object.assign(parts, { target, host: host || undefined, version }));
  return readCall(head, { ...forward, carrier: 'reverse', routes });
}

const taken: readonly (readonly [target: string, host: string | undefined, url: string])[] = [
  ['/git', undefined, 'https://git.example.com/'],
  ['/git/', undefined, 'https://git.example.com/'],
  ['/git/a?b', undefined, 'https://git.example.com/a?b'],
  ['/git?b', undefined, 'https://git.example.com/?b'],
  ['/git/raw/a', undefined, 'http://raw.example.com:8080/a'],
  ['/git/rawr/a', undefined, 'https://git.example.com/rawr/a'],
  ['/npm/@s%2fp', undefined, 'https://registry.example.com/@s%2fp'],
  ['/v1/a', 'models.internal', 'https://models.example.com/v1/a'],
  ['/v1/a', 'Models.Internal:1234', 'https://models.example.com/v1/a'],
  ['/v1/a', 'models.internal:9000', 'http://[::1]:9000/v1/a'],
  ['/git/a', 'models.internal', 'https://models.example.com/git/a'],
];

for (const [target, host, url] of taken) {
  t.test(`${target} on ${host ?? 'any host'} goes to ${url}`, async (t) => {
    const call = read(target, host);
    t.ok(call.ok);
    if (!call.ok) return;
    const { origin, path, query, headers } = call.value;
    t.equal(`${origin}${path}${query === null ? '' : `?${query}`}`, url);
    t.same(headers[0], ['host', new URL(url).host], 'the upstream is sent its own Host');
  });
}

const refused: readonly (readonly [target: string, code: DenialCode])[] = [
  ['/', 'route_unknown'],
  ['/gitt/a', 'route_unknown'],
  ['/Git/a', 'route_unknown'],
  ['/%67it/a', 'path_ambiguous'],
  ['/git/../npm/a', 'path_dot_segment'],
  ['/git/%2e%2e/npm', 'path_dot_segment'],
  ['/git//a', 'path_empty_segment'],
  ['//git/a', 'path_empty_segment'],
  ['/git/a%2fb', 'path_encoded_slash'],
  ['/npm/%2fa', 'path_empty_segment'],
  ['http://git.example.com/git', 'target_origin_required'],
  ['https://git.example.com/git', 'target_origin_required'],
  ['*', 'target_origin_required'],
  ['git.example.com:443', 'target_origin_required'],
];

for (const [target, code] of refused) {
  t.test(`${target} on the reverse port is refused with ${code}`, async (t) => {
    t.match(read(target), { ok: false, code });
  });
}

t.test('HTTP/1.0 without Host takes routes by prefix, never those by host', async (t) => {
  t.match(read('/git/a', '', '1.0'), { ok: true });
  t.match(read('/v1/a', '', '1.0'), { ok: false, code: 'route_unknown' });
});

t.test('a route for every path leaves paths as they are', async (t) => {
  const all = placeRoutes([{ prefix: '/', upstream: 'http://a.test' }]);
  for (const target of ['/', '/a/', '/a/b'])
    t.match(
      readCall(
        makeHead((parts) => (parts.target = target)),
        { ...forward, carrier: 'reverse', routes: all },
      ),
      {
        ok: true,
        value: { path: target },
      },
    );
});

t.test('an origin that names itself has what all its routes loosen, and no more', (t) => {
  const upstream = 'http://a.test';
  const loose = {
    upstream,
    encoded_slash: 'segment',
    overrides: ['x-http-method', 'x-method-override'],
  } as const;
  const rules = (...others: readonly RouteSetting[]): UpstreamRules | undefined => {
    const routes = [loose, ...others].map((route, i) => ({ ...route, prefix: `/${i}` }));
    const [one, other] = [routes, routes.toReversed()].map((given) =>
      originRules(placeRoutes(given)).get(upstream),
    );
    t.strictSame(one, other, 'whatever their order');
    return one;
  };
  t.match(rules(), { encoded_slash: 'segment', overrides: loose.overrides });
  t.match(rules(loose), { encoded_slash: 'segment', overrides: loose.overrides });
  t.match(rules({ ...loose, overrides: ['x-http-method'] }), {
    encoded_slash: 'segment',
    overrides: ['x-http-method'],
  });
  t.match(rules({ upstream }), { encoded_slash: 'reject', overrides: [] });
  t.match(rules(loose, { upstream }, loose), { encoded_slash: 'reject', overrides: [] });
  t.match(rules({ upstream: 'http://b.test' }), { encoded_slash: 'segment', overrides: loose.overrides });
  t.end();
});

t.test('a faulty route does not start', async (t) => {
  const upstream = 'http://a.test';
  t.throws(() => placeRoutes([{ prefix: '/a', upstream: 'http://a.test/' }]), /not an origin/);
  t.throws(() => placeRoutes([{ prefix: 'a', upstream }]), /not a plain path/);
  t.throws(() => placeRoutes([{ prefix: '/a/', upstream }]), /not a plain path/);
  t.throws(() => placeRoutes([{ prefix: '/a/../b', upstream }]), /not a plain path/);
  t.throws(() => placeRoutes([{ host: 'a b', upstream }]), /not a name/);
  t.throws(
    () =>
      placeRoutes([
        { prefix: '/a', upstream },
        { prefix: '/a', upstream },
      ]),
    /two routes/,
  );
});
