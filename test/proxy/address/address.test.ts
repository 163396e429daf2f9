import t from 'tap';
import { FORBIDDEN, innerAddress, parseAddress, whyForbidden } from '../../../src/proxy/address/address.ts';
import type { Parsed } from '../../../src/proxy/address/address.ts';

function parsed(text: string): Parsed {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return address;
}

const refused: readonly [string, string][] = [
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'IPv4-mapped loopback'],
  ['::ffff:7f00:1', 'IPv4-mapped loopback'],
  ['0:0:0:0:0:ffff:7f00:0001', 'IPv4-mapped loopback'],
  ['::ffff:0:127.0.0.1', 'IPv4-translated loopback'],
  ['::127.0.0.1', 'IPv4-compatible loopback'],
  ['64:ff9b::127.0.0.1', 'NAT64 loopback'],
  ['64:ff9b::a9fe:a9fe', 'NAT64 link-local and cloud metadata'],
  ['64:ff9b:1::7f00:1', 'local NAT64'],
  ['2002:7f00:1::', '6to4 loopback'],
  ['2002:a9fe:a9fe::1', '6to4 link-local and cloud metadata'],
  ['2002:a00:1:5::9', '6to4 private'],
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
  ['0.0.0.0', 'this network'],
  ['0.1.2.3', 'this network'],
  ['::', 'unspecified'],
  ['::ffff:0.0.0.0', 'IPv4-mapped this network'],
  ['10.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['fc00::1', 'unique local'],
  ['fd12:3456::1', 'unique local'],
  ['fd00:ec2::254', 'cloud metadata'],
  ['fd20:ce::254', 'cloud metadata'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['100.100.100.200', 'cloud metadata'],
  ['169.254.169.254', 'link-local and cloud metadata'],
  ['169.254.170.2', 'link-local and cloud metadata'],
  ['168.63.129.16', 'cloud metadata'],
  ['192.0.0.192', 'cloud metadata'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'site-local'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['ff02::1', 'multicast'],
  ['255.255.255.255', 'reserved and broadcast'],
  ['240.0.0.1', 'reserved and broadcast'],
  ['198.18.0.1', 'benchmarking'],
  ['198.19.255.255', 'benchmarking'],
  ['2001:2::1', 'protocol assignments'],
  ['192.0.0.1', 'protocol assignments'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.1', 'documentation'],
  ['203.0.113.1', 'documentation'],
  ['2001:db8::1', 'documentation'],
  ['3fff::1', 'documentation'],
  ['192.88.99.1', '6to4 relay'],
  ['100::1', 'discard-only'],
  ['5f00::1', 'segment routing'],
  ['4000::1', 'not global unicast'],
  ['1::1', 'not global unicast'],
  ['8000::1', 'not global unicast'],
];

t.test('whatever is not the public internet is refused by name', (t) => {
  for (const [text, is] of refused) t.equal(whyForbidden(parsed(text))?.is, is, text);
  t.end();
});

const allowed = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2001:4860:4860::8888',
  '2a00::1',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
  '2002:808:808::1',
];

t.test('public addresses pass, up to the edges of each range', (t) => {
  for (const text of allowed) t.equal(whyForbidden(parsed(text)), undefined, text);
  t.end();
});

t.test('only canonical IPv4 is an address', (t) => {
  const odd = [
    '127.1',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '2130706433',
    '127.0.0.1.',
    ' 127.0.0.1',
    '1.1.1.1\0.example.com',
    '256.1.1.1',
    'localhost',
    '',
  ];
  for (const text of odd) t.equal(parseAddress(text), undefined, JSON.stringify(text));
  t.equal(parseAddress('010.0.0.1'), undefined);
  t.end();
});

t.test('every row is in force', (t) => {
  for (const { cidr, is } of FORBIDDEN) {
    const [network = ''] = cidr.split('/');
    const expected = cidr === '2001::/23' ? 'Teredo' : is; // its first addresses have a row of their own
    t.equal(whyForbidden(parsed(network))?.is, expected, cidr);
  }
  t.end();
});

t.test('an embedded address is taken out', (t) => {
  t.equal(innerAddress(parsed('2002:7f00:1::5')).toString(), '127.0.0.1');
  t.equal(innerAddress(parsed('64:ff9b::7f00:1')).toString(), '127.0.0.1');
  t.equal(innerAddress(parsed('::ffff:127.0.0.1')).toString(), '127.0.0.1');
  t.equal(innerAddress(parsed('2a00::1')).toString(), '2a00::1');
  t.end();
});
