/** Node's fetch: through the forward port by its environment alone, and to the reverse port. */
import t from 'tap';
import {
  assertPermitted,
  assertPieces,
  assertReached,
  assertRefused,
  QUESTION,
  startStage,
} from './stage.ts';
import type { Heard } from './stage.ts';
import { answer, talk } from './talk.ts';

const stage = await startStage(t);
const { home, site } = stage;

t.test('through the forward port', async (t) => {
  const pieces: string[] = [];
  const env = stage.environment({ NODE_USE_ENV_PROXY: '1', NODE_EXTRA_CA_CERTS: stage.ca });
  const heard = await talk([process.execPath, 'fetch.ts', site.url], env, ({ piece }) => {
    if (piece === undefined) return;
    pieces.push(piece);
    site.advance();
  });
  await assertPermitted(t, home, answer(heard, 'echo'), QUESTION);
  assertPieces(t, pieces);
  assertRefused(t, home, { ...answer(heard, 'denied'), code: 'scope_path' });
  t.match(heard.get('refused')?.fault, 'Proxy response (403)', 'a refused CONNECT is a fault without a body');
});

t.test('to the reverse port', async (t) => {
  const headers = { 'writ-grant': stage.grant() };
  const ask = async (path: string, init: RequestInit = {}): Promise<Heard> => {
    const response = await fetch(`${stage.reverse}/api${path}`, { ...init, headers });
    const { status } = response;
    return { status, headers: Object.fromEntries(response.headers), body: await response.text() };
  };
  await assertPermitted(t, home, await ask('/echo', { method: 'POST', body: QUESTION }), QUESTION);
  const pieces: string[] = [];
  const streamed = await fetch(`${stage.reverse}/api/pieces`, { headers });
  for await (const piece of streamed.body ?? []) {
    pieces.push(Buffer.from(piece as Uint8Array).toString()); // fetch gives bytes
    site.advance();
  }
  assertPieces(t, pieces);
  assertRefused(t, home, { ...(await ask('/secret/a')), code: 'scope_path' });
});

t.test('what reached the site', async (t) => {
  assertReached(t, site, ['POST /echo', 'GET /pieces', 'POST /echo', 'GET /pieces']);
});
