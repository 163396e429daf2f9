import t from 'tap';
import { makeLog } from '../../src/config/log.ts';
import type { Log } from '../../src/config/log.ts';

const TOKEN = 'eyJhbGciOiJFZERTQSIsInR5cCI6IndyaXQtZ3JhbnQrand0In0.eyJpc3MiOiJ4In0.c2lnbmF0dXJl';

/** Nothing gives it away but its name. */
const OPAQUE = 'c2lnbmF0dXJlc2lnbmF0dXJl';

function collect(level: 'info' | 'silent' = 'info'): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: makeLog(level, { write: (line: string) => lines.push(line) }), lines };
}

t.test('a line is one JSON object with time, level, message and details', (t) => {
  const { log, lines } = collect();
  log.warn('the policy was kept', { file: 'a.rego', line: 3, absent: undefined });
  t.equal(lines.length, 1);
  const line: unknown = JSON.parse(lines[0] ?? '');
  t.match(line, { level: 'warn', msg: 'the policy was kept', file: 'a.rego', line: 3, time: /^\d{4}-.*Z$/ });
  t.strictSame(
    Object.keys(line as object).sort(),
    ['file', 'level', 'line', 'msg', 'time'],
    'no host, no pid',
  );
  t.end();
});

t.test('levels below the set one, and all under silent, are not written', (t) => {
  const { log, lines } = collect();
  log.debug('x');
  log.info('y');
  t.equal(lines.length, 1);
  const quiet = collect('silent');
  quiet.log.error('z');
  t.equal(quiet.lines.length, 0);
  t.end();
});

t.test('secrets do not get in, by name or by look', (t) => {
  const rows: [string, Record<string, string | string[]>][] = [
    ['a grant by name', { grant: OPAQUE }],
    ['a header by name', { authorization: OPAQUE }],
    ['a header by name, in capitals', { 'Proxy-Authorization': OPAQUE }],
    ['a cookie', { cookie: `sid=${OPAQUE}` }],
    ['a private key', { d: OPAQUE }],
    ['a grant inside a text', { detail: `not readable: ${TOKEN} (x)` }],
    ['a grant inside a list', { reasons: ['a', TOKEN] }],
    ['half a grant', { detail: TOKEN.slice(0, TOKEN.lastIndexOf('.')) }],
    ['credentials with their scheme', { detail: `Bearer ${OPAQUE}` }],
  ];
  for (const [name, details] of rows) {
    const { log, lines } = collect();
    log.error('refused', details);
    t.notMatch(lines.join(''), 'c2lnbmF0dXJl', name);
    t.notMatch(lines.join(''), 'eyJpc3MiOiJ4In0', name);
    t.match(lines.join(''), '[secret]', name);
  }
  t.end();
});

t.test('untrusted text is visible and bounded', (t) => {
  const { log, lines } = collect();
  log.info('call', { path: '/a\u001b[2J\u202e\nb', long: 'x'.repeat(100_000) });
  const line = lines[0] ?? '';
  t.notMatch(line, /[\u001b\u202e]/);
  t.match(JSON.parse(line), { path: '/a\\u{1b}[2J\\u{202e}\\u{a}b', long: /…\ \(100000 characters\)$/ });
  t.ok(line.length < 4096);
  t.end();
});
