import fc from 'fast-check';
import t from 'tap';
import { hostHeader, parseAuthority, parseOrigin, placeOf } from '../../src/call/host.ts';

const refused: readonly (readonly [name: string, given: string])[] = [
  ['nothing', ''],
  ['only a port', ':80'],
  ['an empty port', 'a.test:'],
  ['port 0', 'a.test:0'],
  ['a port with a leading zero', 'a.test:080'],
  ['a port over 65535', 'a.test:65536'],
  ['a port with a sign', 'a.test:+80'],
  ['two ports', 'a.test:80:80'],
  ['userinfo', 'user@a.test'],
  ['a NUL', '1.1.1.1\0.example.com'],
  ['a space', 'a.test '],
  ['a tab', 'a\t.test'],
  ['a slash', 'a.test/'],
  ['a backslash', 'a.test\\b'],
  ['a percent', 'a%2etest'],
  ['an underscore', 'a_b.test'],
  ['a letter beyond ASCII', 'ä.test'],
  ['a full-width dot', 'a。test'],
  ['a soft hyphen', 'a\u00adb.test'],
  ['a final dot', 'a.test.'],
  ['an initial dot', '.a.test'],
  ['an empty label', 'a..test'],
  ['a label that starts with a hyphen', '-a.test'],
  ['a label that ends with a hyphen', 'a-.test'],
  ['a label of 64', `${'a'.repeat(64)}.test`],
  ['a name over 253', `${'a.'.repeat(126)}aa`],
  ['a decimal address', '2130706433'],
  ['a hexadecimal address', '0x7f000001'],
  ['an octal address', '0177.0.0.1'],
  ['a short address', '127.1'],
  ['five parts', '1.2.3.4.5'],
  ['an address over 255', '256.1.1.1'],
  ['an address with a final dot', '127.0.0.1.'],
  ['a name that ends in a number', 'a.test.1'],
  ['a name that ends in a hexadecimal number', 'a.0x1'],
  ['IPv6 without brackets', '::1'],
  ['IPv6 with zeros', '[0:0:0:0:0:0:0:1]'],
  ['IPv6 in capitals', '[2001:DB8::1]'],
  ['IPv6 with leading zeros', '[2001:0db8::1]'],
  ['IPv6 with :: for one group', '[2001:db8::1:1:1:1:1]'],
  ['IPv6 with a dotted end', '[::ffff:127.0.0.1]'],
  ['IPv6 with a zone', '[fe80::1%25eth0]'],
  ['IPv6 with two ::', '[1::2::3]'],
  ['IPvFuture', '[v1.a]'],
  ['an unclosed bracket', '[::1'],
  ['text after a bracket', '[::1]a'],
];

for (const [name, given] of refused) {
  t.test(`an authority with ${name} is refused`, async (t) => {
    t.equal(parseAuthority(given), undefined);
  });
}

t.test('an authority in its one spelling is read', async (t) => {
  t.same(parseAuthority('a.test'), { host: 'a.test', port: undefined });
  t.same(parseAuthority('A.Test:8080'), { host: 'a.test', port: 8080 });
  t.same(parseAuthority('localhost:65535'), { host: 'localhost', port: 65535 });
  t.same(parseAuthority('r3---sn-4g5e.a.test'), { host: 'r3---sn-4g5e.a.test', port: undefined });
  t.same(parseAuthority('xn--bcher-kva.example'), { host: 'xn--bcher-kva.example', port: undefined });
  t.ok(parseAuthority(`${'a.'.repeat(126)}a`), 'a name of 253');
  t.same(parseAuthority('10.0.0.1:1'), { host: '10.0.0.1', port: 1 });
  t.same(parseAuthority('[2001:db8::1]:443'), { host: '2001:db8::1', port: 443 });
  t.same(parseAuthority('[::ffff:7f00:1]'), { host: '::ffff:7f00:1', port: undefined });
});

t.test('an origin is read only as it writes itself', async (t) => {
  t.equal(parseOrigin('https://api.example.com')?.port, 443);
  t.equal(parseOrigin('http://[::1]:8080')?.host, '::1');
  for (const text of [
    'https://a.test/',
    'https://a.test:443',
    'http://A.test',
    'ws://a.test',
    'a.test',
    'null',
    '',
  ])
    t.equal(parseOrigin(text), undefined, text);
});

const spelling = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom(...'aA1.-:[]xn0@%_') }),
  fc.domain(),
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.tuple(fc.domain(), fc.integer({ min: -1, max: 70_000 })).map(([host, port]) => `${host}:${port}`),
);

t.test(
  'whatever is accepted is what the URL Standard reads, and writes itself as it was given',
  async (t) => {
    let accepted = 0;
    fc.assert(
      fc.property(spelling, (text) => {
        const authority = parseAuthority(text);
        if (!authority) return true;
        accepted++;
        const place = placeOf('http', authority);
        const url = new URL(`http://${text}/`);
        return (
          url.origin === place.origin &&
          [text.toLowerCase(), text.toLowerCase().replace(/:80$/, '')].includes(hostHeader(place))
        );
      }),
      { numRuns: 5000 },
    );
    t.ok(accepted > 500, 'enough were accepted for this to mean something');
  },
);
