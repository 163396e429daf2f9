import { readFileSync } from 'node:fs';
import t from 'tap';
import { connectRows, earlyRows, insideRows } from './cases-connect.ts';
import { http2UpstreamRows } from './cases-http2-upstream.ts';
import { http2Rows } from './cases-http2.ts';
import { upstreamRows } from './cases-upstream.ts';
import { http1Rows } from './http1-rows.ts';

/** Frames are made when they are asked for. */
const http2Replies = http2UpstreamRows.map(([name, reply, ...rest]) => {
  const frames = reply({ stream: 1, json: '{}' }).map((one) => one && Buffer.from(one).toString('latin1'));
  return [name, frames, ...rest] as const;
});

const tables = { http1Rows, http2Rows, connectRows, earlyRows, insideRows, upstreamRows, http2Replies };

t.test('every case is another one', async (t) => {
  for (const [table, rows] of Object.entries(tables)) {
    const texts = rows.map(([, ...rest]) => JSON.stringify(rest.slice(0, 1).concat(rest.slice(2))));
    const twice = rows.filter((_, i) => texts.indexOf(texts[i] ?? '') !== i).map(([name]) => name);
    t.strictSame(twice, [], table);
  }
});

t.test('there are as many as the documents say', async (t) => {
  const count = Object.values(tables).reduce((sum, rows) => sum + rows.length, 0);
  const said = readFileSync(new URL('../../docs/proxy.md', import.meta.url), 'utf8');
  const words = `A suite of ${count.toLocaleString('en')} cases `;
  t.ok(said.includes(words), words);
});
