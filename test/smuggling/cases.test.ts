import { readFileSync } from 'node:fs';
import t from 'tap';
import { http2UpstreamRows } from './cases-http2-upstream.ts';
import { upstreamRows } from './cases-upstream.ts';
import { carriers, families, playedOn } from './grid.ts';

const said = readFileSync(new URL('../../docs/proxy.md', import.meta.url), 'utf8');

/** Frames are made when they are asked for. */
const frames = http2UpstreamRows.map(([name, reply, ...rest]) => {
  const made = reply({ stream: 1, json: '{}' }).map((one) => one && Buffer.from(one).toString('latin1'));
  return [name, made, ...rest] as const;
});

t.test('every case of a kind is another one', async (t) => {
  const replies = { name: 'what HTTP/1.1 origins write', rows: upstreamRows };
  for (const { name, rows } of [...families, replies, { name: 'what HTTP/2 origins write', rows: frames }]) {
    const texts = rows.map(([, ...rest]) => JSON.stringify(rest.slice(0, 1).concat(rest.slice(2))));
    const twice = rows.filter((_, i) => texts.indexOf(texts[i] ?? '') !== i).map(([title]) => title);
    t.strictSame(twice, [], name);
  }
});

t.test('there are as many as the documents say', async (t) => {
  const count = families.reduce((sum, { rows }) => sum + rows.length, 0);
  const words = `A suite of ${count.toLocaleString('en')} cases `;
  t.ok(said.includes(words), words);
});

t.test('they are played where the documents say', async (t) => {
  const counts = families.map((family) => carriers.map((carrier) => playedOn(family, carrier).length));
  const sums = carriers.map((_, i) => counts.reduce((sum, row) => sum + (row[i] ?? 0), 0));
  const lines = families.map(({ name }, i) => lineOf(name, counts[i] ?? []));
  for (const line of [...lines, lineOf('in all', sums)]) t.ok(said.includes(line), line);
});

/** A line of a table in Markdown. */
function lineOf(name: string, counts: readonly number[]): string {
  const cells = counts.map((count) => (count === 0 ? '–' : count.toLocaleString('en')));
  return `| ${[name, ...cells].join(' | ')} |\n`;
}
