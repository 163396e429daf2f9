/** ws: through the forward port with Node's own proxy agent, and by a header of its own. */
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
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

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

const granted = (): string => stage.grant({ entry: { actions: ACTIONS } });

/** Where it opens WebSockets, and its options. */
function told(way: Way): readonly [base: string, options: ClientOptions] {
  const ca = readFileSync(stage.ca);
  const proxyEnv = { HTTPS_PROXY: stage.proxy(granted()) };
  const agent = way === stage.ways.forward ? { agent: new Agent({ proxyEnv, ca }) } : {};
  const headers = way.headers(granted());
  return [way.url.replace('http', 'ws'), { ...agent, headers, ...(way.secure && { ca }) }];
}

for (const way of Object.values(stage.ways)) {
  t.test(way.name, { skip: way.skip }, async (t) => {
    const [from, entries] = [reached.length, home.entries().length];
    const [base, options] = told(way);
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
    assertWay(t, home, way, entries);
    t.strictSame(reached.slice(from), ['/chat?x=1'], 'what reached the site');
  });
}

t.test('a refused CONNECT is an error', async (t) => {
  const [, options] = told(stage.ways.forward);
  const client = new WebSocket('wss://elsewhere.test/', options);
  const [fault] = (await once(client, 'error').catch((cause: unknown) => [cause])) as [Error]; // as ws has it
  t.match(fault.message, '403');
});

t.test('a grant for GET alone opens no WebSocket', async (t) => {
  const way = stage.ways.reverse;
  const headers = way.headers(stage.grant({ entry: { actions: ['GET'] } }));
  const client = new WebSocket(`${way.url.replace('http', 'ws')}/chat`, { headers });
  assertRefused(t, home, { ...(await refusal(client)), code: 'scope_action' });
});
