import fc from 'fast-check';
import t from 'tap';
import { readCall } from '../../src/call/read.ts';
import { forward, makeHead } from './heads.ts';

const letter = fc.constantFrom(
  '/',
  '?',
  '#',
  '@',
  ':',
  '.',
  '%',
  '[',
  ']',
  '\\',
  'a',
  'http',
  '://',
  '80',
  '\0',
  ' ',
  '*',
);
const target = fc.oneof(
  fc.string(),
  fc.webUrl({ validSchemes: ['http'], withQueryParameters: true }),
  fc.string({ unit: letter }),
  fc.string({ unit: letter }).map((text) => `http://a.test/${text}`),
);

t.test('whatever target is accepted, origin, path and query put together are what was given', async (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(target, (given) => {
      const authority = /^http:\/\/([^/?]*)/.exec(given)?.[1] ?? '';
      const head = makeHead((parts) => {
        parts.target = given;
        parts.host = authority;
      });
      const call = readCall(head, forward);
      if (!call.ok) return true;
      accepted++;
      const { origin, path, query } = call.value;
      const whole = `${origin}${path}${query === null ? '' : `?${query}`}`;
      const slashed = given.replace(/^(http:\/\/[^/?]*)(?=\?|$)/, '$1/');
      return whole === slashed.replace(authority, authority.toLowerCase().replace(/:80$/, ''));
    }),
    { numRuns: 5000 },
  );
  t.ok(accepted > 500, 'enough were accepted for this to mean something');
});

t.test('no head makes the reader throw', async (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('Host', 'host', 'a.test', 'Content-Length', 'Connection', '__proto__'),
  );
  fc.assert(
    fc.property(text, target, text, fc.array(text), (method, given, version, headers) => {
      readCall({ method, target: given, version, headers }, forward);
      readCall({ method: 'GET', target: given, version: '1.1', headers }, { ...forward, carrier: 'reverse' });
    }),
    { numRuns: 3000 },
  );
  t.pass('no throw');
});
