import t from 'tap';
import { hostName, moment } from '../../../src/cli/lineage/search.ts';

t.test('a host is looked for as entries name it', (t) => {
  const rows: [string, string][] = [
    ['api.example.com', 'api.example.com'],
    ['API.Example.com', 'api.example.com'],
    ['*.Example.com', '*.example.com'],
    ['b\u00fccher.example', 'xn--bcher-kva.example'],
    ['0x7f.1', '127.0.0.1'],
    ['[0:0::1]', '[::1]'],
  ];
  for (const [given, wanted] of rows) t.equal(hostName(given), wanted, given);
  t.end();
});

t.test('what no entry can name as its host is refused, instead of finding nothing', (t) => {
  const rows = [
    '',
    '*',
    '*.',
    'a:443',
    'a:',
    '[::1]:443',
    '::1',
    'https://a',
    'a/b',
    'u@a',
    'a b',
    '300.1.1.1',
  ];
  for (const given of rows) t.throws(() => hostName(given), { message: /without scheme and port/ }, given);
  t.end();
});

t.test('a time is one that clocks and calendars have', (t) => {
  const rows: [string, number][] = [
    ['2026-02-28T23:59:59Z', Date.UTC(2026, 1, 28, 23, 59, 59)],
    ['2028-02-29T00:00:00.5+01:00', Date.UTC(2028, 1, 28, 23, 0, 0, 500)],
    ['2026-01-02T03:04Z', Date.UTC(2026, 0, 2, 3, 4)],
  ];
  for (const [given, wanted] of rows) t.equal(moment(given), wanted, given);
  const odd = [
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01',
    '1y',
  ];
  for (const given of odd) t.throws(() => moment(given), { message: /Write a time as/ }, given);
  t.end();
});
