/** The OpenAI SDK: whole answers, streamed ones, what they cost, and a model that policy refuses. */
import OpenAI, { APIConnectionError, PermissionDeniedError } from 'openai';
import t from 'tap';
import { assertReceipt } from '../e2e/denied.ts';
import { events, startProvider } from './model-provider.ts';
import { assertOutcome } from './stage.ts';
import { assertWay } from './ways.ts';

const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
const WORDS = ['Look', ' before', ' you', ' leap'];
const head = { id: 'c1', created: 1, model: 'gpt-5' };

function chunk(more: object): object {
  return { ...head, object: 'chat.completion.chunk', choices: [], ...more };
}

const provider = await startProvider(t, ({ path, body }, response, inPieces): Promise<void> | void => {
  if (path === '/v1/chat/completions' && (JSON.parse(body) as { stream?: boolean }).stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const deltas = WORDS.map((content) =>
      chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }),
    );
    return inPieces([...events(deltas), `${events([chunk({ usage })]).join('')}data: [DONE]\n\n`]);
  }
  const message = { role: 'assistant', content: WORDS.join('') };
  const choices = [{ index: 0, message, finish_reason: 'stop' }];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }));
});
const { home, site } = provider;
const question = {
  model: 'gpt-5',
  max_completion_tokens: 100,
  messages: [{ role: 'user' as const, content: 'Advice?' }],
};
const cost = { provider: 'openai', state: 'counted', model: 'gpt-5', input_tokens: 11, output_tokens: 7 };

for (const way of Object.values(provider.ways)) {
  t.test(way.name, { skip: way.skip }, async (t) => {
    const [from, entries] = [site.seen.length, home.entries().length];
    const client = new OpenAI({ ...provider.options(way), baseURL: `${way.url}/v1`, apiKey: 'sk-test' });

    const { data, response } = await client.chat.completions.create(question).withResponse();
    t.equal(data.choices[0]?.message.content, 'Look before you leap');
    const outcome = await assertOutcome(t, home, response.headers.get('writ-decision'));
    t.strictSame(outcome.is['usage'], cost, 'what it cost is in the outcome');

    const streaming = { ...question, stream: true as const, stream_options: { include_usage: true } };
    const streamed = await client.chat.completions.create(streaming).withResponse();
    const words: string[] = [];
    for await (const { choices } of streamed.data) {
      words.push(choices[0]?.delta.content ?? '');
      site.advance();
    }
    t.strictSame(words, [...WORDS, ''], 'each word arrives before the next leaves');
    const late = await assertOutcome(t, home, streamed.response.headers.get('writ-decision'), {
      ended: /^(complete|client-abort)$/, // the SDK hangs up at [DONE], and may be quicker than the end behind it
    });
    t.strictSame(late.is['usage'], cost, 'and so it is for a stream');

    const fault: unknown = await client.chat.completions
      .create({ ...question, model: 'gpt-4' })
      .catch((cause: unknown) => cause);
    if (!(fault instanceof PermissionDeniedError)) throw new Error(String(fault));
    t.equal(fault.status, 403);

    const body = await provider.refetch(fault.headers.get('writ-decision'));
    t.equal(fault.message, `403 ${body}`, 'the SDK has the denial as its message');
    const { is } = assertReceipt(t, home, { body, code: 'policy_denied' });
    t.strictSame(is['reasons'], ['model_not_listed', 'too_many_tokens']);
    assertWay(t, home, way, entries);
    const reached = site.seen.slice(from);
    t.strictSame(
      reached.map(({ path, headers }) => [path, headers.authorization, headers['writ-grant']]),
      [1, 2].map(() => ['/v1/chat/completions', 'Bearer sk-test', undefined]),
      'what reached the provider, with its own key and no grant',
    );
  });
}

t.test('a refused CONNECT is a fault of the connection, after another try', async (t) => {
  const client = new OpenAI({
    ...provider.options(provider.ways.forward),
    baseURL: 'https://elsewhere.test/v1',
    apiKey: 'sk-test',
    maxRetries: 1,
  });
  const fault: unknown = await client.chat.completions.create(question).catch((cause: unknown) => cause);
  t.ok(fault instanceof APIConnectionError);
  t.equal(home.entries().filter(({ is }) => is['code'] === 'scope_location').length, 2);
});

t.test('what all answers cost is a metric', async (t) => {
  const answers = site.seen.length;
  const text = await (await fetch(`http://127.0.0.1:${provider.sidecar.port('admin')}/metrics`)).text();
  t.match(text, `\nwrit_llm_tokens_total{kind="input"} ${11 * answers}\n`);
  t.match(text, `\nwrit_llm_tokens_total{kind="output"} ${7 * answers}\n`);
});
