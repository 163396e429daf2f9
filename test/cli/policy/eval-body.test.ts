/** What `writ policy eval --body` asks a policy about, and what it refuses before it asks. */
import t from 'tap';
import { asPost, withBody } from '../../../src/cli/policy/eval-body.ts';
import type { DenialCode } from '../../../src/denial/table.ts';

const input = {
  call: { method: 'POST', segments: ['mcp'], headers: { accept: ['*/*'] }, content: { state: 'none' } },
  grant: { sub: 'agent:test' },
};
const body = (text: string, type = 'application/json') => ({ bytes: Buffer.from(text), type });
const tool = (name: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });
const called = (name: string): object => ({
  kind: 'request',
  id: 1,
  method: 'tools/call',
  tool: name,
  arguments: {},
});

t.test('the input is as it was but for content and Content-Type', async (t) => {
  const asked = withBody(input, body('{"a": 1}'), ['json']);
  t.strictSame(asked, {
    ok: true,
    value: [
      {
        ...input,
        call: {
          ...input.call,
          headers: { 'content-type': ['application/json'], accept: ['*/*'] },
          content: { state: 'parsed', kind: 'json', json: { a: 1 } },
        },
      },
    ],
  });
});

t.test('content is what the sidecar would show', async (t) => {
  const rows: readonly (readonly [name: string, text: string, type: string, reads: readonly string[], content: object[]])[] = [
    ['nothing where no rule looks', '{', 'application/json', [], [{ state: 'unread' }]],
    ['no body', '', 'application/json', ['json'], [{ state: 'none' }]],
    ['a form', 'a=1&a=2', 'application/x-www-form-urlencoded', ['form'], [{ state: 'parsed', kind: 'form', form: { a: ['1', '2'] } }]],
    ['a message', tool('a'), 'application/json', ['mcp'], [{ state: 'parsed', kind: 'mcp', mcp: called('a') }]],
    ['each message of a batch', `[${tool('a')},${tool('b')}]`, 'application/json', ['mcp'], [{ mcp: called('a') }, { mcp: called('b') }]],
  ]; // prettier-ignore
  for (const [name, text, type, reads, content] of rows) {
    const asked = withBody(input, body(text, type), reads);
    t.match(asked, { ok: true, value: content.map((each) => ({ call: { content: each } })) }, name);
    t.equal(asked.ok && asked.value.length, content.length, name);
  }
});

t.test('a question to a model is known by its segments', async (t) => {
  const call = { ...input.call, segments: ['v1', 'chat', 'completions'] };
  const asked = withBody({ ...input, call }, body('{"model":"m"}'), ['llm']);
  t.match(asked, {
    value: [{ call: { content: { kind: 'llm', llm: { provider: 'openai', model: 'm' } } } }],
  });
});

t.test('what the sidecar would refuse is not asked', async (t) => {
  const rows: readonly (readonly [text: string, type: string, code: DenialCode])[] = [
    ['{"a":1,"a":2}', 'application/json', 'content_unparsable'],
    ['{}', 'text/plain', 'policy_content_unread'],
    ['a=1', 'application/x-www-form-urlencoded', 'policy_content_unread'],
    [`"${'x'.repeat(1024 * 1024)}"`, 'application/json', 'content_too_large'],
  ];
  for (const [text, type, code] of rows)
    t.match(withBody(input, body(text, type), ['json']), { ok: false, code });
});

t.test('headers of the input stand, and say how the body is coded', async (t) => {
  const call = { ...input.call, headers: { 'content-type': ['text/plain'] } };
  t.match(withBody({ ...input, call }, body('{}'), ['json']), { code: 'policy_content_unread' });
  const coded = { ...input.call, headers: { 'content-encoding': ['gzip'] } };
  t.match(withBody({ ...input, call: coded }, body('{}'), ['json']), { code: 'content_unparsable' });
});

t.test('an input that is no call takes no body', async (t) => {
  const { method, segments, headers } = input.call;
  for (const call of [
    undefined,
    null,
    {},
    { method, segments },
    { method, headers },
    { method, segments: 'a', headers },
    { method, segments, headers: { a: 'b' } },
  ])
    t.throws(() => withBody({ call }, body('{}'), ['json']), /call\.segments/);
});

t.test('the sample becomes a POST', async (t) => {
  t.strictSame(asPost({ call: { method: 'GET', port: 1 } }), { call: { method: 'POST', port: 1 } });
});
