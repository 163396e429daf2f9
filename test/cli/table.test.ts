import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { makeScreen, safeJson } from '../../src/cli/table.ts';
import type { Screen } from '../../src/cli/table.ts';
import { safeText } from '../../src/config/safe-text.ts';

function screen(over: { isTTY?: boolean; columns?: number; env?: Record<string, string> } = {}): {
  on: Screen;
  text: () => string;
} {
  let text = '';
  const sink = { isTTY: over.isTTY ?? false, columns: over.columns, write: (part: string) => (text += part) };
  return { on: makeScreen(sink, over.env ?? {}), text: () => text };
}

t.test('columns are aligned, numbers to the right, without a trailing space', (t) => {
  const { on, text } = screen();
  on.table(['name', 'size', 'note'], [['a', 1, ''], ['longer', 1234, { text: 'x', style: 'bad' }], ['b', 5, null]]); // prettier-ignore
  t.equal(text(), 'name    size  note\na          1\nlonger  1234  x\nb          5  –\n');
  t.end();
});

t.test('a row that is wider than the terminal is folded, and loses nothing', (t) => {
  const told = (columns: number, rows: readonly (readonly (string | number)[])[], isTTY = true): string => {
    const { on, text } = screen({ isTTY, columns, env: { NO_COLOR: '1' } });
    on.table([], rows);
    return text();
  };
  const calls = [[7, 'permit', `GET ${'a'.repeat(30)}`, 'agent'], [18, 'deny', 'GET b', 'agent'], [9, 'deny', 'GET c', '']]; // prettier-ignore
  t.equal(
    told(40, calls),
    ` 7  permit\n    GET ${'a'.repeat(30)}\n    agent\n18  deny    GET b${' '.repeat(18)}agent\n 9  deny    GET c\n`,
    'where a cell begins',
  );
  t.equal(
    told(40, [['authentic', 'signed by the key that the trust file names']]),
    'authentic  signed by the key that the\n           trust file names\n',
    'a sentence goes on under itself',
  );
  t.equal(
    told(40, [['a', 'v'.repeat(34), 'file'], ['b', '1', 'file']]), // prettier-ignore
    `a  ${'v'.repeat(34)}\n   file\nb  1${' '.repeat(32)}file\n`,
    'the last column moves as far as it has room',
  );
  const wide = `a  ${'v'.repeat(50)}\n`;
  t.equal(told(40, [['a', 'v'.repeat(50)]]), wide.replace('  ', '\n   '), 'a word alone is never broken');
  t.equal(told(40, [['a', 'v'.repeat(50)]], false), wide, 'nor anything in a pipe');
  t.equal(told(0, [['a', 'v'.repeat(50)]]), wide, 'nor where the width is not known');
  t.end();
});

t.test('fields leave out what is absent', (t) => {
  const { on, text } = screen();
  on.fields([['home', '/h'], ['intent', undefined], ['origin', 'o']]); // prettier-ignore
  t.equal(text(), 'home    /h\norigin  o\n');
  t.end();
});

t.test('colours are for terminals, and for those who want them', (t) => {
  const rows: [string, { isTTY?: boolean; env?: Record<string, string> }, boolean][] = [
    ['a pipe', {}, false],
    ['a terminal', { isTTY: true }, true],
    ['a terminal with NO_COLOR', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, false],
    ['a pipe with FORCE_COLOR', { env: { FORCE_COLOR: '1' } }, true],
    ['a terminal with FORCE_COLOR=0', { isTTY: true, env: { FORCE_COLOR: '0' } }, false],
  ];
  for (const [name, given, wanted] of rows) {
    const { on } = screen(given);
    t.equal(on.colour, wanted, name);
    t.equal(on.paint('bad', 'x') !== 'x', wanted, name);
  }
  t.end();
});

t.test('a coloured table has the same text as a plain one', (t) => {
  const rows = [[{ text: 'deny', style: 'bad' }, 'a'], [{ text: 'permit', style: 'good' }, 'b']] as const; // prettier-ignore
  const plain = screen();
  const coloured = screen({ isTTY: true });
  plain.on.table(['verdict', 'host'], rows);
  coloured.on.table(['verdict', 'host'], rows);
  t.not(coloured.text(), plain.text());
  t.equal(stripVTControlCharacters(coloured.text()), plain.text());
  t.end();
});

const HOSTILE = [
  ['clears the screen', '\u001b[2J'],
  ['sets the title', '\u001b]0;x\u0007'],
  ['8-bit control sequence', '\u009b2J'],
  ['goes back over the line', 'ok\rBAD'],
  ['begins a new line', 'a\nBAD  forged'],
  ['deletes', 'a\u0008\u007f'],
  ['reorders', '\u202egnp.exe'],
  ['isolates', '\u2067x\u2069'],
  ['hides', 'a\u200b\u2060\ufeffb'],
  ['breaks lines elsewhere', 'a\u2028b\u2029\u0085'],
  ['tags', 'a\u{e0041}b'],
  ['half a pair', '\ud800'],
  ['ends a text', '\u0000'],
] as const;

/** Written apart from the code under test: everything that Unicode calls control, format or surrogate, but emoji's joiner. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u200b\u2028\u2029\u2060\ufeff\u{e0041}]/u;

t.test('text of others cannot steer a terminal, in any way to print it', (t) => {
  for (const [name, hostile] of HOSTILE) {
    const { on, text } = screen();
    on.table([hostile], [[hostile, { text: hostile, style: 'bad' }]]);
    on.fields([[hostile, hostile]]);
    on.line(on.paint('name', hostile));
    on.json({ [hostile]: hostile });
    t.notMatch(text().replaceAll('\n', ''), UNPRINTABLE, name);
    t.equal(text().split('\n').length, 1 + 2 + 1 + 1 + 3, `${name}: no line but ours`);
    t.strictSame(JSON.parse(safeJson([hostile])), [hostile], `${name}: JSON keeps its value`);
  }
  t.end();
});

t.test('text that steers nothing is left as it is', (t) => {
  for (const text of ['/repos/acme?x=1', 'Grüße', '日本語', '🙂', 'e\u0301', '"\\'] as const)
    t.equal(safeText(text), text);
  t.equal(safeText('\u001b[0m'), '\\u{1b}[0m');
  t.end();
});
