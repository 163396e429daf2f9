/** undici's request through a ProxyAgent, over HTTP/1.1 and HTTP/2. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { ProxyAgent, request } from 'undici';
import {
  assertPermitted,
  assertPieces,
  assertReached,
  assertRefused,
  QUESTION,
  startStage,
} from './stage.ts';
import type { Heard } from './stage.ts';

const stage = await startStage(t);
const { home, site } = stage;

for (const allowH2 of [false, true]) {
  t.test(allowH2 ? 'HTTP/2' : 'HTTP/1.1', async (t) => {
    const requestTls = { ca: readFileSync(stage.ca), allowH2 };
    const token = `Bearer ${stage.grant()}`;
    const dispatcher = new ProxyAgent({ uri: stage.forward, token, requestTls, allowH2 });
    t.teardown(() => dispatcher.destroy());
    const ask = async (path: string, init: object = {}): Promise<Heard> => {
      const {
        statusCode: status,
        headers,
        body,
      } = await request(`${site.url}${path}`, { ...init, dispatcher });
      return { status, headers: headers as Record<string, string>, body: await body.text() }; // none of ours repeats
    };
    const heard = await ask('/echo', { method: 'POST', body: QUESTION });
    await assertPermitted(t, home, heard, QUESTION);
    t.equal(site.seen.at(-1)?.version, allowH2 ? '2.0' : '1.1', 'and so it went on to the site');
    const pieces: string[] = [];
    const { body } = await request(`${site.url}/pieces`, { dispatcher });
    for await (const piece of body) {
      pieces.push(String(piece));
      site.advance();
    }
    assertPieces(t, pieces);
    assertRefused(t, home, { ...(await ask('/secret/a')), code: 'scope_path' });
    await t.rejects(request('https://elsewhere.test/', { dispatcher }), /403/, 'a refused CONNECT');
  });
}

t.test('what reached the site', async (t) => {
  assertReached(t, site, ['POST /echo', 'GET /pieces', 'POST /echo', 'GET /pieces']);
});
