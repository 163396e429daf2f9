import { brotliCompressSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import type { Call } from '../../src/call/call.ts';
import { contentMembers, readContent } from '../../src/call/content.ts';
import type { Content, ContentMember } from '../../src/call/content.ts';
import type { DenialCode } from '../../src/denial/table.ts';

const LIMIT = 1000;

/** A POST of this media type. */
function post(type: string | undefined, more: readonly (readonly [string, string])[] = []): Call {
  return {
    ...{ id: '', carrier: 'forward', method: 'POST', action: 'POST', scheme: 'http', host: 'a', port: 80 },
    ...{ origin: 'http://a', path: '/a', segments: ['a'], query: null, trace: '', salt: new Uint8Array(16) },
    headers: [...(type === undefined ? [] : [['content-type', type] as const]), ...more],
    framing: { kind: 'chunked' },
  };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

interface Given {
  readonly type?: string | undefined;
  readonly body: string | Uint8Array;
  readonly members?: readonly ContentMember[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly segments?: readonly string[];
}

function read({ type = 'application/json', body, members = ['json'], headers, segments = ['a'] }: Given) {
  const call = { ...post(type, headers), segments };
  return readContent(call, typeof body === 'string' ? bytes(body) : body, { members, limit: LIMIT });
}

function contentsOf(given: Given): readonly Content[] | DenialCode {
  const outcome = read(given);
  return outcome.ok ? outcome.value : outcome.code;
}

/** As the command line tool writes it. */
function named(gzip: Buffer, name: string): Buffer {
  return Buffer.concat([gzip.subarray(0, 10).fill(8, 3, 4), Buffer.from(`${name}\0`), gzip.subarray(10)]);
}

const parsed = (members: object): readonly unknown[] => [{ state: 'parsed', ...members }];

t.test('a body is read as what it says it is, and shown as far as rules look at it', async (t) => {
  const message =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"p":1}}}';
  const mcp = { kind: 'request', id: 1, method: 'tools/call', tool: 'read_file', arguments: { p: 1 } };
  const chat = '{"model":"m","stream":true,"max_tokens":5,"messages":[]}';
  const llm = { provider: 'openai', operation: 'chat', model: 'm', stream: true, max_tokens: 5, tools: [] };
  const path = ['v1', 'chat', 'completions'];
  const form = 'a=1&b=2&a=%33+x&__proto__=y';
  const rows: readonly (readonly [name: string, given: Given, expected: unknown])[] = [
    ['JSON', { body: '{"a":[1.5,null]}' }, parsed({ kind: 'json', json: { a: [1.5, null] } })],
    ['JSON by another name', { type: 'application/vnd.a+JSON; Charset="UTF-8"', body: '1' }, parsed({ kind: 'json', json: 1 })],
    ['only its kind', { body: '{}', members: ['kind'] }, parsed({ kind: 'json' })],
    ['a message', { body: message, members: ['mcp'] }, parsed({ kind: 'mcp', mcp })],
    ['a message and its text', { body: message, members: ['json', 'mcp'] }, parsed({ json: JSON.parse(message) as unknown, kind: 'mcp', mcp })],
    ['a message that no rule knows as one', { body: message }, parsed({ json: JSON.parse(message) as unknown, kind: 'json' })],
    ['JSON that is no message', { body: '{"a":1}', members: ['mcp'] }, parsed({ kind: 'json' })],
    ['a call of a model', { body: chat, members: ['llm'], segments: path }, parsed({ kind: 'llm', llm })],
    ['the same elsewhere', { body: chat, members: ['llm'] }, parsed({ kind: 'json' })],
    ['a form', { type: 'application/x-www-form-urlencoded', body: form, members: ['form'] }, parsed({ kind: 'form', form: Object.assign(Object.create(null), { a: ['1', '3 x'], b: ['2'], ['__proto__']: ['y'] }) })],
    ['no bytes', { body: '' }, [{ state: 'none' }]],
    ['a body that nobody looks at', { body: '{', members: [] }, [{ state: 'unread' }]],
    ['gzip with a file’s name', { body: named(gzipSync('{"a":1}'), 'a.json'), headers: [['content-encoding', 'gzip']] }, parsed({ kind: 'json', json: { a: 1 } })],
    ['gzip', { body: gzipSync('{"a":1}'), headers: [['content-encoding', 'GZIP']] }, parsed({ kind: 'json', json: { a: 1 } })],
    ['br', { body: brotliCompressSync('[]'), headers: [['content-encoding', 'br']] }, parsed({ kind: 'json', json: [] })],
  ]; // prettier-ignore
  for (const [name, given, expected] of rows) t.same(contentsOf(given), expected, name);
  const [content] = contentsOf({
    type: 'application/x-www-form-urlencoded',
    body: form,
    members: ['form'],
  }) as Content[];
  const fields = content?.state === 'parsed' ? (content.form ?? {}) : {};
  t.strictSame(Object.keys(fields), ['a', 'b', '__proto__']);
});

t.test('each message of a batch is shown alone', async (t) => {
  const call = (name: string): string =>
    `{"jsonrpc":"2.0","id":"${name}","method":"tools/call","params":{"name":"${name}"}}`;
  const note = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
  const contents = contentsOf({ body: `[${call('a')},${note},${call('b')}]`, members: ['mcp'] });
  t.match(contents, [
    { kind: 'mcp', mcp: { tool: 'a', arguments: {} } },
    { kind: 'mcp', mcp: { kind: 'notification', method: 'notifications/initialized' } },
    { kind: 'mcp', mcp: { tool: 'b' } },
  ]);
});

t.test('what has no single reading is refused', async (t) => {
  const rpc = (members: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call"${members}}`;
  const mcp = { members: ['mcp'] } as const;
  const llm = { members: ['llm'], segments: ['v1', 'messages'] } as const;
  const part = (head: string): string => `--b\r\n${head}\r\n\r\nx\r\n--b--\r\n`;
  const multipart = { type: 'multipart/form-data; boundary=b', members: ['multipart'] } as const;
  const form = { type: 'application/x-www-form-urlencoded', members: ['form'] } as const;
  const gzip = { headers: [['content-encoding', 'gzip']] } as const;
  const rows: readonly (readonly [name: string, given: Given, code: DenialCode])[] = [
    ['no JSON', { body: '{' }, 'content_unparsable'],
    ['a member twice', { body: '{"a":1,"a":1}' }, 'content_unparsable'],
    ['a member twice, spelled otherwise', { body: '{"a":1,"\\u0061":2}' }, 'content_unparsable'],
    ['a member twice, deep inside', { body: '[{"x":{"a":1, "b":"}\\"", "a" :1}}]' }, 'content_unparsable'],
    ['a whole number that is rounded', { body: '9007199254740993' }, 'content_unparsable'],
    ['a number past all bounds', { body: '[1e999]' }, 'content_unparsable'],
    ['a fraction that is rounded', { body: '{"amount":[100.000000000000001]}' }, 'content_unparsable'],
    ['a lone surrogate', { body: '"\\ud800"' }, 'content_unparsable'],
    ['a lone surrogate in a name', { body: '{"\\udc00":1}' }, 'content_unparsable'],
    ['a byte-order mark', { body: '\ufeff{}' }, 'content_unparsable'],
    ['no UTF-8', { body: Uint8Array.of(0x22, 0xff, 0x22) }, 'content_unparsable'],
    ['UTF-16', { body: Buffer.from('{}', 'utf16le') }, 'content_unparsable'],
    ['depth', { body: '['.repeat(66) + ']'.repeat(66) }, 'content_unparsable'],
    ['another media type', { type: 'text/plain', body: '{}' }, 'policy_content_unread'],
    ['no media type', { type: '', body: '{}' }, 'policy_content_unread'],
    ['two media types', { body: '{}', headers: [['content-type', 'text/plain']] }, 'policy_content_unread'],
    ['another charset', { type: 'application/json; charset=utf-16', body: '{}' }, 'policy_content_unread'],
    ['two charsets', { type: 'application/json; charset=utf-8; charset=utf-16', body: '{}' }, 'policy_content_unread'],
    ['a form, where rules read JSON', { type: 'application/x-www-form-urlencoded', body: '{}=' }, 'policy_content_unread'],
    ['JSON, where rules read forms', { body: '{}', members: ['form'] }, 'policy_content_unread'],
    ['an unknown coding', { body: '{}', headers: [['content-encoding', 'zstd']] }, 'policy_content_unread'],
    ['two codings', { body: '{}', headers: [['content-encoding', 'gzip'], ['content-encoding', 'gzip']] }, 'policy_content_unread'],
    ['a list of codings', { body: '{}', headers: [['content-encoding', 'gzip, br']] }, 'policy_content_unread'],
    ['no gzip', { body: '{}', headers: [['content-encoding', 'gzip']] }, 'content_unparsable'],
    ['half a gzip', { body: gzipSync('{}').subarray(0, 15), headers: [['content-encoding', 'gzip']] }, 'content_unparsable'],
    ['a bomb', { body: gzipSync(Buffer.alloc(1e6, ' ')).subarray(0, LIMIT), headers: [['content-encoding', 'gzip']] }, 'content_too_large'],
    ['a thousand and one fields', { ...form, ...gzip, body: gzipSync('&'.repeat(1000)) }, 'content_unparsable'],
    ['gzip of two members', { ...form, ...gzip, body: Buffer.concat([gzipSync('a=1'), gzipSync('&b=1')]) }, 'content_unparsable'],
    ['gzip of two members with zeros between', { ...form, ...gzip, body: Buffer.concat([gzipSync('a=1'), Buffer.alloc(3), gzipSync('&b=1')]) }, 'content_unparsable'],
    ['gzip of a member behind an empty one', { ...form, ...gzip, body: Buffer.concat([gzipSync(''), gzipSync('b=1')]) }, 'content_unparsable'],
    ['gzip of an empty member behind another', { ...form, ...gzip, body: Buffer.concat([gzipSync('a=1'), gzipSync('')]) }, 'content_unparsable'],
    ['gzip before a zero', { ...form, ...gzip, body: Buffer.concat([gzipSync('a=1'), Buffer.alloc(1)]) }, 'content_unparsable'],
    ['gzip with another size', { ...form, ...gzip, body: gzipSync('a=1').fill(9, 19) }, 'content_unparsable'],
    ['gzip with another CRC-32', { ...form, ...gzip, body: gzipSync('a=1').fill(9, 15, 19) }, 'content_unparsable'],
    ['gzip with odd flags', { ...form, ...gzip, body: gzipSync('a=1').fill(4, 3, 4) }, 'content_unparsable'],
    ['gzip whose file’s name does not end', { ...form, ...gzip, body: Buffer.from([0x1f, 0x8b, 8, 8, 1, 1, 1, 1, 1, 1, 1]) }, 'content_unparsable'],
    ['gzip of four bytes', { ...form, ...gzip, body: Buffer.from([0x1f, 0x8b, 8, 0]) }, 'content_unparsable'],
    ['brotli before something else', { ...form, body: Buffer.concat([brotliCompressSync('a=1'), Buffer.from('x')]), headers: [['content-encoding', 'br']] }, 'content_unparsable'],
    ['a body past the limit', { body: `"${'x'.repeat(LIMIT)}"` }, 'content_too_large'],
    ['an envelope in two spellings', { ...mcp, body: rpc(',"Method":"ping","params":{"name":"a"}') }, 'content_unparsable'],
    ['an envelope in a spelling that Go takes', { ...mcp, body: '{"j\u017fonrpc":"2.0","method":"ping"}' }, 'content_unparsable'],
    ['a name in two spellings', { ...mcp, body: rpc(',"params":{"name":"a","Name":"b"}') }, 'content_unparsable'],
    ['a call without a name', { ...mcp, body: rpc(',"params":{}') }, 'content_unparsable'],
    ['a call by position', { ...mcp, body: rpc(',"params":["a"]') }, 'content_unparsable'],
    ['a call without parameters', { ...mcp, body: rpc('') }, 'content_unparsable'],
    ['arguments that are no object', { ...mcp, body: rpc(',"params":{"name":"a","arguments":[]}') }, 'content_unparsable'],
    ['another JSON-RPC', { ...mcp, body: '{"jsonrpc":"1.0","method":"ping"}' }, 'content_unparsable'],
    ['a method that is no text', { ...mcp, body: '{"jsonrpc":"2.0","method":1}' }, 'content_unparsable'],
    ['question and answer in one', { ...mcp, body: rpc(',"params":{"name":"a"},"result":{}') }, 'content_unparsable'],
    ['a batch with something else in it', { ...mcp, body: `[${rpc(',"params":{"name":"a"}')},1]` }, 'content_unparsable'],
    ['a batch in which the whole would stand too often', { members: ['mcp', 'json'], body: `[${Array(20).fill('{"method":"ping"}').join()}]` }, 'content_too_large'],
    ['a long batch', { ...mcp, body: `[${Array(33).fill('{"method":"ping"}').join()}]` }, 'content_unparsable'],
    ['a model in two spellings', { ...llm, body: '{"model":"a","Model":"b"}' }, 'content_unparsable'],
    ['a model that is a list', { ...llm, body: '{"model":["a"]}' }, 'content_unparsable'],
    ['a limit that is a text', { ...llm, body: '{"model":"a","max_tokens":"5"}' }, 'content_unparsable'],
    ['stream as a text', { ...llm, body: '{"model":"a","stream":"true"}' }, 'content_unparsable'],
    ['a list that asks a model', { ...llm, body: '[]' }, 'content_unparsable'],
    ['a part without a name', { ...multipart, body: part('Content-Disposition: form-data') }, 'policy_content_unread'],
    ['a name in RFC 5987', { ...multipart, body: part('Content-Disposition: form-data; name="a"; filename*=UTF-8\'\'b') }, 'policy_content_unread'],
    ['an escaped name', { ...multipart, body: part('Content-Disposition: form-data; name="a\\"b"') }, 'policy_content_unread'],
    ['a header beside', { ...multipart, body: part('X-A: 1\r\nContent-Disposition: form-data; name="a"') }, 'policy_content_unread'],
    ['no end', { ...multipart, body: '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx' }, 'policy_content_unread'],
    ['a preamble', { ...multipart, body: `x\r\n${part('Content-Disposition: form-data; name="a"')}` }, 'policy_content_unread'],
    ['an epilogue', { ...multipart, body: `${part('Content-Disposition: form-data; name="a"')}x` }, 'policy_content_unread'],
    ['a boundary behind a bare LF', { ...multipart, body: part('Content-Disposition: form-data; name="a"\r\n\r\n1\n--b\nContent-Disposition: form-data; name="admin"') }, 'policy_content_unread'],
    ['a boundary behind a bare CR', { ...multipart, body: part('Content-Disposition: form-data; name="a"\r\n\r\n1\r--b--\r') }, 'policy_content_unread'],
    ['no boundary', { ...multipart, type: 'multipart/form-data', body: '--\r\n' }, 'policy_content_unread'],
  ]; // prettier-ignore
  for (const [name, given, code] of rows) t.equal(contentsOf(given), code, name);
  const limited = readContent(post('application/json'), undefined, { members: ['json'], limit: LIMIT });
  t.match(limited, { code: 'policy_content_unread' }, 'a body that was not asked for in time');
});

t.test('multipart as fetch writes it is listed without its bytes', async (t) => {
  const form = new FormData();
  form.set('note', 'ü');
  form.set('file', new File(['12345'], 'ö.txt', { type: 'text/plain' }));
  const request = new Request('http://a', { method: 'POST', body: form });
  const type = request.headers.get('content-type') ?? '';
  const body = new Uint8Array(await request.arrayBuffer());
  t.same(contentsOf({ type, body, members: ['multipart'] }), parsed({
    kind: 'multipart',
    multipart: [{ name: 'note', bytes: 2 }, { name: 'file', filename: 'ö.txt', type: 'text/plain', bytes: 5 }],
  })); // prettier-ignore
});

/** What JSON can say and a rule could misread: -0, numbers that doubles do not hold exactly, lone surrogates. */
const UNREADABLE = /-0\b|e\+|(?<![.\d])\d{16}|\\ud[89a-f]/i;

t.test('what JSON.stringify writes is read as it was, and any bytes at all are an answer', async (t) => {
  const value = fc.jsonValue({ maxDepth: 5, noUnicodeString: false }).filter((each) => {
    const text = JSON.stringify(each);
    return text.length < LIMIT && text.isWellFormed() && !UNREADABLE.test(text);
  });
  const reads = fc.property(value, (each) => {
    const [content] = contentsOf({ body: JSON.stringify(each) }) as Content[];
    return content?.state === 'parsed' && JSON.stringify(content.json) === JSON.stringify(each);
  });
  fc.assert(reads);
  const types = ['application/json', 'multipart/form-data; boundary=b', 'application/x-www-form-urlencoded'];
  const some = fc.record({
    type: fc.constantFrom(...types),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      value.map((each) => bytes(JSON.stringify(each))),
    ),
    members: fc.subarray([...contentMembers]),
    segments: fc.constantFrom(['a'], ['v1', 'messages'], ['models', 'x:generateContent']),
  });
  t.doesNotThrow(() => fc.assert(fc.property(some, (given) => void contentsOf(given))));
});

t.test(
  'what follows an upgrade or a closed tunnel is unread, and denies where a rule reads bodies',
  async (t) => {
    for (const action of ['UPGRADE', 'CONNECT']) {
      const opaque = { ...post(undefined), action, framing: { kind: 'none' } } as const;
      t.match(readContent(opaque, undefined, { members: [], limit: 100 }), { value: [{ state: 'unread' }] });
      t.match(readContent(opaque, undefined, { members: ['json'], limit: 100 }), {
        ok: false,
        code: 'policy_content_unread',
      });
    }
  },
);
