import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import {
  brotliCompressSync,
  createBrotliCompress,
  constants,
  createZstdCompress,
  deflateSync,
  gzip,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import t from 'tap';
import { llmApi, readLlm } from '../../src/call/llm.ts';
import { UsageReader, usageReader } from '../../src/call/llm-usage.ts';
import type { Json } from '../../src/crypto/json.ts';

t.test('an API is known by its method and path, wherever it is served', async (t) => {
  const rows: readonly (readonly [path: string, provider: string | undefined, operation?: string])[] = [
    ['v1/chat/completions', 'openai', 'chat'],
    ['openai/deployments/x/chat/completions', 'openai', 'chat'],
    ['v1/chat/completions/', 'openai', 'chat'],
    ['V1/Chat/Completions', 'openai', 'chat'],
    ['v1/completions', 'openai', 'completions'],
    ['v1/responses', 'openai', 'responses'],
    ['v1/messages', 'anthropic', 'messages'],
    ['channels/1/messages', undefined],
    ['v1/messages/count_tokens', undefined],
    ['v1beta/models/gemini-x:generateContent', 'google', 'generate'],
    ['v1beta/models/gemini-x:streamGenerateContent', 'google', 'generate'],
    ['v1beta/models/gemini-x:countTokens', undefined],
    ['v1/embeddings', undefined],
  ];
  for (const [path, provider, operation] of rows) {
    const api = llmApi({ method: 'POST', segments: path.split('/') });
    t.equal(api?.provider, provider, path);
    t.equal(api?.operation, operation, path);
    t.equal(llmApi({ method: 'GET', segments: path.split('/') }), undefined);
  }
});

t.test('what is asked of a model reads alike for every provider', async (t) => {
  const asked = (path: string, body: Json): unknown => {
    const api = llmApi({ method: 'POST', segments: path.split('/') });
    return api && readLlm(api, body);
  };
  const tools = [{ type: 'function', function: { name: 'a' } }, { type: 'function', name: 'b' }, { type: 'web_search' }, { name: 'c' }, { type: 'custom', custom: { name: 'd' } }];
  t.match(asked('v1/chat/completions', { model: 'm', max_tokens: 5, max_completion_tokens: 9, stream: null, tools }), {
    value: { provider: 'openai', model: 'm', stream: false, max_tokens: 9, tools: ['a', 'b', 'web_search', 'c', 'd'] },
  }); // prettier-ignore
  t.match(asked('v1/responses', { model: 'm', max_output_tokens: 7, stream: true }), { value: { max_tokens: 7, stream: true } });
  const bare = asked('v1/messages', { max_tokens: null });
  t.strictSame(bare, { ok: true, value: { provider: 'anthropic', operation: 'messages', stream: false, tools: [] } });
  const config = { generationConfig: { maxOutputTokens: 5 }, generation_config: { max_output_tokens: 6 } };
  const google = { ...config, tools: [{ functionDeclarations: [{ name: 'f' }] }, { googleSearch: {} }] };
  t.match(asked('v1beta/models/g:streamGenerateContent', google), {
    value: { provider: 'google', model: 'g', stream: true, max_tokens: 6, tools: ['f', 'googleSearch'] },
  });
  const otherwise = [{ function_declarations: { name: 'g' }, google_search_retrieval: {} }, { some_new_kind: {} }];
  const names = ['g', 'googleSearchRetrieval', 'someNewKind'];
  t.match(asked('v1beta/models/g:generateContent', { tools: otherwise }), { value: { tools: names } }, 'in snake case');
  const alone = { tools: { functionDeclarations: { name: 'h' }, codeExecution: {} } };
  t.match(asked('v1beta/models/g:generateContent', alone), { value: { tools: ['h', 'codeExecution'] } }, 'without lists');
  const none = asked('v1beta/models/g:generateContent', { tools: null });
  t.strictSame(none, { ok: true, value: { provider: 'google', operation: 'generate', model: 'g', stream: false, tools: [] } });
}); // prettier-ignore

t.test('a member that may bring tools which nobody here sees is shown among them', async (t) => {
  const google = 'v1beta/models/g:generateContent';
  const rows: readonly (readonly [path: string, body: Json, tools: readonly string[] | undefined])[] = [
    [google, { cachedContent: 'cachedContents/1' }, ['cachedContent:*']],
    [google, { cached_content: 'cachedContents/1', tools: { codeExecution: {} } }, ['codeExecution', 'cachedContent:*']],
    [google, { cachedContent: null }, []],
    [google, { CachedContent: 'cachedContents/1' }, undefined],
    [google, { prompt: 'x', container: 'x' }, []],
    ['v1/responses', { prompt: { id: 'pmpt_1' }, tools: [{ name: 'a' }] }, ['a', 'prompt:*']],
    ['v1/responses', { previous_response_id: 'resp_1', conversation: 'conv_1', tools: [] }, []],
    ['v1/responses', { Prompt: { id: 'pmpt_1' } }, undefined],
    ['v1/chat/completions', { web_search_options: {} }, ['web_search_options:*']],
    ['v1/completions', { prompt: 'once upon a time' }, []],
    ['v1/messages', { mcp_servers: [{ type: 'url', url: 'https://x', name: 'x' }], container: 'c' }, ['container:*', 'mcp_servers:*']],
    ['v1/messages', { mcp_servers: [], container: { skills: [] } }, ['container:*']],
    ['v1/messages', { MCP_Servers: [] }, undefined],
  ];
  for (const [path, body, tools] of rows) {
    const api = llmApi({ method: 'POST', segments: path.split('/') });
    const read = api && readLlm(api, body);
    t.strictSame(read?.ok ? read.value.tools : read?.code, tools ?? 'content_unparsable', JSON.stringify(body));
  }
}); // prettier-ignore

t.test('a name that a parser without cases would take for another is refused, however deep', async (t) => {
  const ok = { name: 'ok' };
  const rows: readonly (readonly [path: string, body: Json])[] = [
    ['v1/chat/completions', { Model: 'm' }],
    ['v1/chat/completions', { tools: [{ function: ok, Function: { name: 'evil' } }] }],
    ['v1/chat/completions', { tools: [{ function: { ...ok, NAME: 'evil' } }] }],
    ['v1/chat/completions', { tools: [{ function: ok }, { Type: 'web_search' }] }],
    ['v1/chat/completions', { tools: [{ custom: { ...ok, Name: 'evil' } }] }],
    ['v1/chat/completions', { functions: [{ ...ok, Name: 'evil' }] }],
    ['v1/messages', { tools: [{ ...ok, nAme: 'evil' }] }],
    ['v1beta/models/g:generateContent', { generationConfig: { maxOutputTokens: 1, MaxOutputTokens: 9 } }],
    ['v1beta/models/g:generateContent', { generation_Config: {} }],
    ['v1beta/models/g:generateContent', { Tools: [] }],
    ['v1beta/models/g:generateContent', { tools: [{ GoogleSearch: {} }] }],
    ['v1beta/models/g:generateContent', { tools: [{ url_Context: {} }] }],
    ['v1beta/models/g:generateContent', { tools: { functiondeclarations: [ok] } }],
    ['v1beta/models/g:generateContent', { tools: [{ functionDeclarations: [ok, { ...ok, Name: 'evil' }] }] }],
    ['v1beta/models/g:generateContent', { tools: { function_declarations: { ...ok, NAME: 'evil' } } }],
  ];
  for (const [path, body] of rows) {
    const api = llmApi({ method: 'POST', segments: path.split('/') });
    t.match(api && readLlm(api, body), { ok: false, code: 'content_unparsable' }, JSON.stringify(body));
  }
});

t.test('tools that are no list are not passed over', async (t) => {
  for (const [path, name] of [['v1/messages', 'tools'], ['v1/responses', 'tools'], ['v1/chat/completions', 'functions']] as const) {
    const api = llmApi({ method: 'POST', segments: path.split('/') });
    for (const tools of [{ name: 'evil' }, 'evil', 1])
      t.match(api && readLlm(api, { [name]: tools }), { ok: false, code: 'content_unparsable' }, path);
    t.match(api && readLlm(api, { [name]: null }), { ok: true, value: { tools: [] } });
  }
}); // prettier-ignore

const JSON_TYPE = ['content-type', 'application/json'];
const EVENTS = ['content-type', 'text/event-stream; charset=utf-8'];

async function usageOf(
  headers: readonly string[],
  ...pieces: readonly (string | Uint8Array)[]
): Promise<unknown> {
  const reader = usageReader({ method: 'POST', segments: ['v1', 'messages'] }, 200, headers);
  for (const piece of pieces) reader?.add(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  return await reader?.close();
}

t.test('an answer says what it cost', async (t) => {
  const { provider } = await new UsageReader('anthropic', []).close();
  const counted = { provider, state: 'counted' };
  const events = [
    'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":10,"output_tokens":1}}}\n\n',
    'event: delta\ndata: {"delta":{"text":"\xc3', '\xbc"}}\r\n\r\nda', 'ta: {"usage":{"output_tokens":7}}\n', '\n',
  ]; // prettier-ignore
  t.same(await usageOf(EVENTS, ...events), {
    ...counted,
    model: 'claude-x',
    input_tokens: 10,
    output_tokens: 7,
  });
  const plain = '{"model":"gpt-x","usage":{"prompt_tokens":3,"completion_tokens":4}}';
  t.same(await usageOf(JSON_TYPE, plain), { ...counted, model: 'gpt-x', input_tokens: 3, output_tokens: 4 });
  t.same(
    await usageOf(JSON_TYPE, ...plain),
    { ...counted, model: 'gpt-x', input_tokens: 3, output_tokens: 4 },
    'byte by byte',
  );
  const openai =
    'data: {"id":1,"model":"m","usage":null}\n\ndata: {"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n';
  t.same(await usageOf(EVENTS, openai), { ...counted, model: 'm', input_tokens: 3, output_tokens: 4 });
  const response =
    'data: {"type":"response.completed","response":{"model":"m","usage":{"input_tokens":1,"output_tokens":2}}}\n\n';
  t.same(await usageOf(EVENTS, response), { ...counted, model: 'm', input_tokens: 1, output_tokens: 2 });
  const google =
    '[{"modelVersion":"g","usageMetadata":{"promptTokenCount":1}},{"usageMetadata":{"candidatesTokenCount":2}}]';
  t.same(await usageOf(JSON_TYPE, google), { ...counted, model: 'g', input_tokens: 1, output_tokens: 2 });
});

const later = promisify(gzip);

const packers = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  [
    'br',
    (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  ],
  ['zstd', zstdCompressSync],
] as const;

t.test('the tokens of a compressed answer are counted, streamed or not', async (t) => {
  const plain = Buffer.from('{"model":"m","usage":{"input_tokens":3,"output_tokens":4}}');
  const events = Buffer.from(`data: ${plain.toString()}\n\ndata: ${'x'.repeat(100)}\n\n`);
  const provider = 'anthropic';
  const found = { provider, state: 'counted', model: 'm', input_tokens: 3, output_tokens: 4 };
  const unread = { provider, state: 'unread' };
  for (const [coding, pack] of packers) {
    const packed = [...JSON_TYPE, 'content-encoding', coding];
    t.same(await usageOf(packed, pack(plain)), found, coding);
    t.same(
      await usageOf(packed, ...[...pack(plain)].map((byte) => Uint8Array.of(byte))),
      found,
      `${coding}, in crumbs`,
    );
    t.same(
      await usageOf([...EVENTS, 'content-encoding', coding], pack(events)),
      found,
      `${coding} of events`,
    );
    t.same(await usageOf(packed, pack(Buffer.alloc(1024 * 1024 + 1, ' '))), unread, `${coding} of too much`);
    t.same(await usageOf(packed, 'not packed at all'), unread, `no ${coding}`);
  }
  const cut = gzipSync(events).subarray(0, -12); // its end, and a little of what it says last
  t.same(await usageOf([...EVENTS, 'content-encoding', 'gzip'], cut), found, 'cut off');
  for (const coding of ['gzip, br', 'compress', ''])
    t.same(await usageOf([...JSON_TYPE, 'content-encoding', coding], plain), unread, coding);
  const twice = [...JSON_TYPE, 'content-encoding', 'gzip', 'content-encoding', 'gzip'];
  t.same(await usageOf(twice, gzipSync(gzipSync(plain))), unread, 'twice');
  t.same(await usageOf([...JSON_TYPE, 'content-encoding', 'identity'], plain), found, 'identity');
});

t.test('a long compressed stream is read to its end while it comes', async (t) => {
  const filler = (): string => `data: {"delta":"${randomBytes(6000).toString('base64')}"}\n\n`;
  const said = 'data: {"model":"m","usage":{"input_tokens":3,"output_tokens":4}}\n\n';
  const events = Buffer.from(`${Array.from({ length: 300 }, filler).join('')}${said}`);
  for (const [coding, pack] of packers) {
    const packed = pack(events);
    t.ok(packed.length > 1.5 * 1024 * 1024, 'more than is held at a time');
    const reader = usageReader({ method: 'POST', segments: ['v1', 'messages'] }, 200, [...EVENTS, 'content-encoding', coding]);
    for (let at = 0; at < packed.length; at += 65_536) {
      reader?.add(packed.subarray(at, at + 65_536));
      await later(randomBytes(65_536)); // on the same threads, and slower
    }
    t.match(await reader?.close(), { state: 'counted', model: 'm', input_tokens: 3, output_tokens: 4 }, coding);
    t.match(await usageOf([...EVENTS, 'content-encoding', coding], packed), { state: 'unread' }, 'too much at once');
  }
}); // prettier-ignore

t.test('a bomb is opened only so far', async (t) => {
  const state = async (coding: string, packed: Buffer): Promise<unknown> =>
    usageOf([...EVENTS, 'content-encoding', coding], packed);
  const lines = (bytes: number): Buffer => Buffer.alloc(bytes, '\n');
  for (const [coding, pack] of packers) {
    t.match(await state(coding, pack(lines(1_000_000))), { state: 'absent' }, coding);
    t.match(await state(coding, pack(lines(4_000_000))), { state: 'unread' }, `${coding} in length`);
  }
  const windowed = async (windowLog: number): Promise<Buffer> => {
    const packer = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: windowLog } });
    await new Promise((then) => packer.write(lines(1000), then)); // its length is not told
    return Buffer.concat((await packer.end().toArray()) as Buffer[]); // as zlib gives them
  };
  t.match(await state('zstd', await windowed(23)), { state: 'absent' });
  t.match(await state('zstd', await windowed(25)), { state: 'unread' }, 'in memory');
  for (let bits = constants.BROTLI_MIN_WINDOW_BITS; bits <= constants.BROTLI_MAX_WINDOW_BITS; bits++) {
    const packer = createBrotliCompress({ params: { [constants.BROTLI_PARAM_LGWIN]: bits } });
    const packed = Buffer.concat((await packer.end(lines(1000)).toArray()) as Buffer[]); // as zlib gives them
    const expected = { state: bits === 24 ? 'unread' : 'absent' };
    t.match(await state('br', packed), expected, `a window of ${bits} bits`);
    t.match(await state('br', packed.subarray(0, 1)), expected, 'from its first byte on');
  }
});

t.test('an upstream’s numbers are not believed blindly', async (t) => {
  const absent = { provider: 'anthropic', state: 'absent' };
  const unread = { provider: 'anthropic', state: 'unread' };
  for (const wrong of ['-1', '1.5', '1e300', '"7"', 'null', '[]', '{}', '2000000000'])
    t.same(await usageOf(JSON_TYPE, `{"usage":{"input_tokens":${wrong}}}`), absent, wrong);
  t.same(await usageOf(JSON_TYPE, '{"model":"\\u0000","usage":7}'), absent);
  t.same(await usageOf(JSON_TYPE, `{"model":"${'m'.repeat(129)}"}`), absent);
  t.same(await usageOf(JSON_TYPE, '{"usage":'), absent, 'half an answer');
  t.same(await usageOf(JSON_TYPE, '{"__proto__":{"usage":{"input_tokens":1}}}'), absent);
  t.same(await usageOf([...JSON_TYPE, 'content-encoding', 'gzip'], '{"usage":{"input_tokens":1}}'), unread);
  t.same(await usageOf(['content-type', 'text/html'], '{"usage":{"input_tokens":1}}'), unread);
  t.same(await usageOf(JSON_TYPE, ' '.repeat(1024 * 1024 + 1)), unread, 'too large');
  t.same(await usageOf(EVENTS, `data: ${'x'.repeat(300 * 1024)}`, 'x', '\n\n'), unread, 'an endless line');
  t.equal(usageReader({ method: 'POST', segments: ['v1', 'messages'] }, 500, JSON_TYPE), undefined);
  t.equal(usageReader({ method: 'POST', segments: ['a'] }, 200, JSON_TYPE), undefined);
});
