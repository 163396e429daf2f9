/** The Anthropic SDK: whole answers, streamed ones, what they cost, and a model that policy refuses. */
import Anthropic, { APIConnectionError, PermissionDeniedError } from '@anthropic-ai/sdk';
import t from 'tap';
import { assertReceipt } from '../e2e/denied.ts';
import { events, startProvider } from './model-provider.ts';
import { assertOutcome } from './stage.ts';
import { assertWay } from './ways.ts';

const WORDS = ['Look', ' before', ' you', ' leap'];
const message = {
  ...{ id: 'm1', type: 'message', role: 'assistant', model: 'claude-haiku-4-5' },
  ...{ content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 11, output_tokens: 1 } },
};
const STREAM = [
  { type: 'message_start', message },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ...WORDS.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } },
  { type: 'message_stop' },
];

const provider = await startProvider(t, ({ body }, response, inPieces): Promise<void> | void => {
  if ((JSON.parse(body) as { stream?: boolean }).stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return inPieces(events(STREAM));
  }
  const content = [{ type: 'text', text: WORDS.join('') }];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ ...message, content, usage: { input_tokens: 11, output_tokens: 7 } }));
});
const { home, site } = provider;
const messages = [{ role: 'user' as const, content: 'Advice?' }];
const question = { model: 'claude-haiku-4-5', max_tokens: 100, messages };
const cost = {
  ...{ provider: 'anthropic', state: 'counted', model: 'claude-haiku-4-5' },
  input_tokens: 11,
  output_tokens: 7,
};

for (const way of Object.values(provider.ways)) {
  t.test(way.name, { skip: way.skip }, async (t) => {
    const [from, entries] = [site.seen.length, home.entries().length];
    const client = new Anthropic({ ...provider.options(way), apiKey: 'sk-test' });

    const { data, response } = await client.messages.create(question).withResponse();
    t.match(data.content, [{ text: 'Look before you leap' }]);
    const outcome = await assertOutcome(t, home, response.headers.get('writ-decision'));
    t.strictSame(outcome.is['usage'], cost, 'what it cost is in the outcome');

    const streamed = await client.messages.create({ ...question, stream: true }).withResponse();
    const kinds: string[] = [];
    for await (const { type } of streamed.data) {
      kinds.push(type);
      site.advance();
    }
    t.strictSame(
      kinds,
      STREAM.map(({ type }) => type),
      'each event arrives before the next leaves',
    );
    const late = await assertOutcome(t, home, streamed.response.headers.get('writ-decision'));
    t.strictSame(late.is['usage'], cost, 'and so it is for a stream');

    const fault: unknown = await client.messages
      .create({ ...question, model: 'claude-opus-4' })
      .catch((cause: unknown) => cause);
    if (!(fault instanceof PermissionDeniedError)) throw new Error(String(fault));
    t.match(fault.error, { code: 'policy_denied' }, 'the SDK has the denial as its error');
    const body = await provider.refetch(fault.headers.get('writ-decision'));
    t.strictSame(JSON.parse(body), fault.error, 'the one that its holder can fetch again');
    const { is } = assertReceipt(t, home, { body, code: 'policy_denied' });
    t.strictSame(is['reasons'], ['model_not_listed', 'too_many_tokens']);
    assertWay(t, home, way, entries);
    const reached = site.seen.slice(from);
    t.strictSame(
      reached.map(({ path, headers }) => [path, headers.authorization, headers['writ-grant']]),
      [1, 2].map(() => ['/v1/messages', 'Bearer sk-test', undefined]),
      'what reached the provider, with its own key and no grant',
    );
  });
}

t.test('a refused CONNECT is a fault of the connection, after another try', async (t) => {
  const client = new Anthropic({
    ...provider.options(provider.ways.forward),
    baseURL: 'https://elsewhere.test',
    apiKey: 'sk-test',
    maxRetries: 1,
  });
  const fault: unknown = await client.messages.create(question).catch((cause: unknown) => cause);
  t.ok(fault instanceof APIConnectionError);
  t.equal(home.entries().filter(({ is }) => is['code'] === 'scope_location').length, 2);
});
