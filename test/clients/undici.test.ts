/** undici's request, over HTTP/1.1 and HTTP/2. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { Agent, ProxyAgent, request } from 'undici';
import type { Dispatcher } from 'undici';
import {
  assertPermitted,
  assertPieces,
  assertReached,
  assertRefused,
  QUESTION,
  startStage,
} from './stage.ts';
import type { Heard } from './stage.ts';
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

const stage = await startStage(t);
const { home, site } = stage;
const { forward, redirected, reverse } = stage.ways;

function dispatcherFor(way: Way, allowH2: boolean): Dispatcher {
  const tls = { ca: readFileSync(stage.ca), allowH2 };
  if (way !== forward) return new Agent({ ...(way.secure && { connect: tls }), allowH2 });
  return new ProxyAgent({ uri: stage.forward, token: `Bearer ${stage.grant()}`, requestTls: tls, allowH2 });
}

for (const [version, way] of [
  ['1.1', forward],
  ['2.0', forward],
  ['1.1', redirected],
  ['2.0', redirected],
  ['1.1', reverse],
] as const) {
  t.test(`HTTP/${version}, ${way.name}`, { skip: way.skip }, async (t) => {
    const [from, entries] = [site.seen.length, home.entries().length];
    const dispatcher = dispatcherFor(way, version === '2.0');
    t.teardown(() => dispatcher.destroy());
    const options = { dispatcher, headers: way.headers() };
    const ask = async (path: string, init: object = {}): Promise<Heard> => {
      const answered = await request(`${way.url}${path}`, { ...init, ...options });
      const { statusCode: status, headers, body } = answered;
      return { status, headers: headers as Record<string, string>, body: await body.text() }; // none of ours repeats
    };
    const heard = await ask('/echo', { method: 'POST', body: QUESTION });
    await assertPermitted(t, home, heard, QUESTION);
    t.equal(site.seen.at(-1)?.version, version, 'and so it went on to the site');
    const pieces: string[] = [];
    const { body } = await request(`${way.url}/pieces`, options);
    for await (const piece of body) {
      pieces.push(String(piece));
      site.advance();
    }
    assertPieces(t, pieces);
    assertRefused(t, home, { ...(await ask('/secret/a')), code: 'scope_path' });
    for (const url of way.elsewhere)
      await t.rejects(request(url, { dispatcher }), /403/, 'a refused CONNECT');
    assertWay(t, home, way, entries);
    assertReached(t, { ...site, seen: site.seen.slice(from) }, ['POST /echo', 'GET /pieces']);
  });
}
