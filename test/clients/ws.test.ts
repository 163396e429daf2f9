/** ws: through the reverse port, and as wss through the forward port with Node's own proxy agent. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import { openChat } from './chat.ts';
import { assertOutcome, assertRefused, startStage } from './stage.ts';
import type { Heard } from './stage.ts';

const ACTIONS = ['GET', 'UPGRADE'];
const stage = await startStage(t);
const { home, site } = stage;
const reached = openChat(site);

/** Resolves with the answer to a handshake that did not succeed. */
async function refusal(client: WebSocket): Promise<Heard> {
  client.on('error', () => undefined);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage]; // as ws has it
  const { statusCode: status = 0, headers } = response;
  return { status, headers: headers as Record<string, string>, body: await text(response) }; // none of ours repeats
}

const ways: Readonly<Record<string, () => { readonly base: string; readonly options: ClientOptions }>> = {
  'wss through the forward port': () => {
    const proxyEnv = { HTTPS_PROXY: stage.proxy(stage.grant({ entry: { actions: ACTIONS } })) };
    const ca = readFileSync(stage.ca);
    return { base: site.url.replace('https', 'wss'), options: { agent: new Agent({ proxyEnv, ca }) } };
  },
  'ws to the reverse port': () => {
    const headers = { 'writ-grant': stage.grant({ entry: { actions: ACTIONS } }) };
    return { base: `${stage.reverse.replace('http', 'ws')}/api`, options: { headers } };
  },
};

for (const [name, way] of Object.entries(ways)) {
  t.test(name, async (t) => {
    const { base, options } = way();
    const client = new WebSocket(`${base}/chat?x=1`, options);
    t.teardown(() => client.terminate());
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage]; // as ws has it
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
    for (const message of ['one', 'two', '€'.repeat(100_000)]) {
      client.send(message);
      const [data, binary] = (await once(client, 'message')) as [Buffer, boolean]; // as ws has it
      t.ok(data.toString() === message && !binary, 'each message comes back before the next is sent');
    }
    client.close(1000, 'done');
    t.match(await once(client, 'close'), [1000]);
    await assertOutcome(t, home, String(response.headers['writ-decision']));
    assertRefused(t, home, {
      ...(await refusal(new WebSocket(`${base}/secret/chat`, options))),
      code: 'scope_path',
    });
  });
}

t.test('a refused CONNECT is an error', async (t) => {
  const { options } = ways['wss through the forward port']?.() ?? {};
  const client = new WebSocket('wss://elsewhere.test/', options);
  const [fault] = (await once(client, 'error').catch((cause: unknown) => [cause])) as [Error]; // as ws has it
  t.match(fault.message, '403');
});

t.test('a grant for GET alone opens no WebSocket', async (t) => {
  const headers = { 'writ-grant': stage.grant({ entry: { actions: ['GET'] } }) };
  const client = new WebSocket(`${stage.reverse.replace('http', 'ws')}/api/chat`, { headers });
  assertRefused(t, home, { ...(await refusal(client)), code: 'scope_action' });
});

t.test('what reached the site', async (t) => {
  t.strictSame(reached, ['/chat?x=1', '/chat?x=1']);
});
