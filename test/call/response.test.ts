import fc from 'fast-check';
import t from 'tap';
import { cleanResponseHeaders } from '../../src/call/response.ts';
import { announcedNames, cleanTrailers } from '../../src/call/trailers.ts';

t.test(
  'what only the sidecar may say, and what belongs to one connection, does not reach the agent',
  async (t) => {
    const cleaned = cleanResponseHeaders(
      [
        ['Content-Type', 'text/plain'],
        ['Content-Length', '5'],
        ['Connection', 'close, X-Hop'],
        ['X-Hop', '1'],
        ['Keep-Alive', 'timeout=5'],
        ['Alt-Svc', 'h3=":443"'],
        ['Proxy-Status', 'writ; error=http_request_denied'],
        ['Writ-Decision', 'permit'],
        ['writ-anything', '1'],
        ['Upgrade', 'h2c'],
        ['Proxy-Authenticate', 'Basic'],
        ['Trailer', 'X'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
      ].flat(),
    );
    t.same(cleaned, {
      ok: true,
      headers: [
        ['content-type', 'text/plain'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
      framing: { kind: 'length', bytes: 5 },
      announced: new Set(['x']),
    });
  },
);

const faults: readonly (readonly [name: string, headers: readonly string[]])[] = [
  ['two lengths that agree', ['Content-Length', '5', 'Content-Length', '5']],
  ['length and chunked', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
  ['chunked twice', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
  ['another coding', ['Transfer-Encoding', 'gzip, chunked']],
  ['a length that is no number', ['Content-Length', '5, 5']],
  ['a control character', ['X-A', 'a\nb']],
  ['a name without a value', ['X-A']],
  ['a head over 16 KiB', ['X-A', 'a'.repeat(8192), 'X-B', 'b'.repeat(8192)]],
  ['101 headers', Array.from({ length: 101 }, (_, i) => [`X-${i}`, '']).flat()],
];

for (const [name, headers] of faults) {
  t.test(`a response with ${name} is a fault of the upstream`, async (t) => {
    t.match(cleanResponseHeaders(headers), { ok: false });
  });
}

t.test('no headers make the cleaning throw, and none of ours ever passes', async (t) => {
  const name = fc.oneof(
    fc.string(),
    fc.constantFrom('Connection', 'Writ-Grant', 'ALT-SVC', 'Proxy-Status', 'a'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
      const cleaned = cleanResponseHeaders(pairs.flat());
      return (
        !cleaned.ok ||
        cleaned.headers.every(([each]) => !/^(writ-|alt-svc|proxy-status|connection)/.test(each))
      );
    }),
  );
  t.pass('no throw');
});

t.test('of an upstream’s trailers only a few that change nothing reach the agent', async (t) => {
  const fields = (count: number): readonly string[] => Array.from({ length: 2 * count }, () => 'x');
  t.same(cleanTrailers(['Grpc-Status', '0', 'Writ-Decision', 'permit', 'writ_decision', 'x', 'Alt-Svc', 'h3=":443"']), [['grpc-status', '0']]);
  t.equal(cleanTrailers(fields(32)).length, 32);
  t.same(cleanTrailers(fields(33)), [], 'too many');
  t.same(cleanTrailers(['x', 'y'.repeat(8192)]), [], 'too long');
  t.same(cleanTrailers(['x', 'a\nb']), [], 'one that cannot be read spoils all');
  t.same(announcedNames(['X-Sum, writ-decision', 'a b, , Host']), new Set(['x-sum']));
}); // prettier-ignore
