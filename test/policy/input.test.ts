import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import type { Call } from '../../src/call/call.ts';
import type { Content } from '../../src/call/content.ts';
import type { Coverage } from '../../src/grant/grant.ts';
import { loadPublicKey } from '../../src/crypto/key.ts';
import { newKey } from '../../src/crypto/node.ts';
import { fromBase64url } from '../../src/crypto/base64.ts';
import { Engine } from '../../src/policy/engine.ts';
import { inputText } from '../../src/policy/input.ts';
import type { InputParts } from '../../src/policy/input.ts';
import { bundleOf, defaultFiles } from './bundle-files.ts';

const key = loadPublicKey(fromBase64url(newKey().x) ?? new Uint8Array());
if (!key) throw new Error('a fresh key is a good one');

const call: Call = {
  id: '01929b2c-0000-7000-8000-000000000000',
  carrier: 'forward',
  method: 'POST',
  action: 'POST',
  scheme: 'https',
  host: 'api.example',
  port: 8443,
  origin: 'https://api.example:8443',
  path: '/a/b%20c',
  segments: ['a', 'b c'],
  query: 'x=1&y=2&x=3',
  headers: [
    ['host', 'api.example:8443'],
    ['accept', 'text/html'],
    ['accept', 'text/plain'],
  ],
  framing: { kind: 'none' },
  trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  salt: new Uint8Array(16),
};

const coverage: Coverage = {
  grant: {
    root: {
      iss: 'https://authority.example',
      sub: 'agent:test',
      aud: 'localhost/writ/0123456789abcdef',
      jti: '01929b2c-1111-7000-8000-000000000000',
      iat: 1_729_080_000,
      exp: 1_729_083_600,
      scope: [],
      claims: { ticket: 'OPS-7' },
      intent: 'tidy up',
    },
    key,
    digest: '00',
  },
  index: 2,
  needsBody: false,
  entry: { locations: ['https://api.example:8443'], actions: ['POST'] },
};

process.env['TZ'] = 'Pacific/Auckland'; // local time must not show

/** 2024-10-20 was a Sunday, in UTC. */
const wallMs = Date.UTC(2024, 9, 20, 23, 59, 59, 7);

function inputOf(
  parts: {
    readonly call?: Partial<Call>;
    readonly mode?: InputParts['mode'];
    readonly content?: Content;
  } = {},
): Input {
  const text = inputText({
    call: { ...call, ...parts.call },
    coverage,
    mode: parts.mode ?? 'jailed',
    wallMs,
    content: parts.content ?? { state: 'none' },
  });
  return JSON.parse(text) as Input;
}

interface Input {
  readonly call: {
    readonly action?: string;
    readonly upgrade?: string;
    readonly query: Record<string, string[]>;
    readonly headers: Record<string, string[]>;
    readonly content: unknown;
  };
}

const membersOf = (multimap: object): unknown => Object.entries(multimap);

t.test('the input document says everything about a call, once', async (t) => {
  t.strictSame(inputOf(), {
    call: {
      method: 'POST',
      action: 'POST',
      scheme: 'https',
      host: 'api.example',
      port: 8443,
      origin: 'https://api.example:8443',
      path: '/a/b%20c',
      segments: ['a', 'b c'],
      query: { x: ['1', '3'], y: ['2'] },
      headers: { host: ['api.example:8443'], accept: ['text/html', 'text/plain'] },
      content: { state: 'none' },
      carrier: 'forward',
      mode: 'jailed',
    },
    grant: {
      iss: 'https://authority.example',
      sub: 'agent:test',
      jti: '01929b2c-1111-7000-8000-000000000000',
      aud: 'localhost/writ/0123456789abcdef',
      exp: 1_729_083_600,
      iat: 1_729_080_000,
      intent: 'tidy up',
      claims: { ticket: 'OPS-7' },
      entry: 2,
      chain_length: 1,
    },
    trust: { state: 'trusted' },
    time: { now: '2024-10-20T23:59:59.007Z', unix_ms: wallMs, weekday: 0, hour: 23 },
  });
});

t.test('its members are those of the published schema', async (t) => {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
  }
  const schema = JSON.parse(
    await readFile(new URL('../../rego/writ/input.schema.json', import.meta.url), 'utf8'),
  ) as Schema;
  const compare = (value: object, { properties, required = [] }: Schema, at: string): void => {
    if (!properties) return;
    for (const name of required) t.ok(Object.hasOwn(value, name), `${at}.${name} is there`);
    for (const [name, member] of Object.entries(value)) {
      const inner = properties[name];
      t.ok(inner, `${at}.${name} is in the schema`);
      if (inner && typeof member === 'object' && member !== null)
        compare(member as object, inner, `${at}.${name}`);
    }
  };
  compare(inputOf(), schema, 'input');
});

t.test('a body is shown as it was read', async (t) => {
  const json = { model: 'm', temperature: 0.5, nested: [{ a: null }] };
  const content: Content = { state: 'parsed', kind: 'json', json };
  t.strictSame(inputOf({ content }).call.content, { state: 'parsed', kind: 'json', json });
});

t.test('a query has exactly one reading, that of the URL Standard', async (t) => {
  const readings: readonly (readonly [query: string | null, members: unknown])[] = [
    [null, []],
    ['', []],
    ['a', [['a', ['']]]],
    ['a=', [['a', ['']]]],
    ['=a', [['', ['a']]]],
    ['a=b=c', [['a', ['b=c']]]],
    ['a=1&&a=2', [['a', ['1', '2']]]],
    ['a=b+c%2Bd%20e', [['a', ['b c+d e']]]],
    ['%61=%62', [['a', ['b']]]],
    ['a=1;b=2', [['a', ['1;b=2']]]],
    ['?a=1', [['?a', ['1']]]],
    ['a=%', [['a', ['%']]]],
    ['a=%zz%61', [['a', ['%zza']]]],
    ['a=%e4', [['a', ['\ufffd']]]],
    ['a=%c3%a4', [['a', ['ä']]]],
    ['a=%ed%a0%80', [['a', ['\ufffd\ufffd\ufffd']]]],
    ['a=%00', [['a', ['\0']]]],
    ['a[]=1', [['a[]', ['1']]]],
  ];
  for (const [query, members] of readings)
    t.strictSame(membersOf(inputOf({ call: { query } }).call.query), members, JSON.stringify(query));
});

t.test('a policy can tell a WebSocket from a request', async (t) => {
  const { call: asked } = inputOf({ call: { action: 'UPGRADE', upgrade: 'websocket', method: 'GET' } });
  t.match(asked, { method: 'GET', action: 'UPGRADE', upgrade: 'websocket' });
});

t.test('names that mean something to JavaScript are ordinary members', async (t) => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'toJSON'];
  const { query } = inputOf({ call: { query: names.map((name) => `${name}=1&${name}=2`).join('&') } }).call;
  t.strictSame(
    membersOf(query),
    names.map((name) => [name, ['1', '2']]),
  );
  const { headers } = inputOf({ call: { headers: [['__proto__', 'x']] } }).call;
  t.strictSame(membersOf(headers), [['__proto__', ['x']]]);
});

t.test('no credential enters', async (t) => {
  const secret = 's3cr3t';
  const headers: Call['headers'] = [
    ['authorization', `Bearer ${secret}`],
    ['authorization', secret],
    ['proxy-authorization', `Basic ${secret}`],
    ['cookie', `session=${secret}`],
    ['writ-grant', secret],
  ];
  const document = inputOf({ call: { headers } });
  t.notOk(JSON.stringify(document).includes(secret));
  t.strictSame(document.call.headers, {
    authorization: ['bearer', 'other'],
    'proxy-authorization': ['basic'],
    cookie: ['other'],
    'writ-grant': ['other'],
  });
});

t.test('whatever an agent sends, the engine reads the document that was written', async (t) => {
  const opened = Engine.open(await bundleOf(await defaultFiles()));
  if (!opened.ok) throw new Error(opened.fault);
  const latin1 = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  });
  const calls = fc.record({
    query: fc.option(latin1),
    headers: fc.array(fc.tuple(latin1, latin1)),
    segments: fc.array(fc.string({ unit: 'binary' })),
    path: latin1,
  });
  const written = fc.property(calls, (sent) => {
    const parts = {
      call: { ...call, ...sent },
      coverage,
      mode: 'cooperative',
      wallMs,
      content: { state: 'none' },
    } as const;
    const text = inputText(parts);
    const { headers } = (JSON.parse(text) as Input).call;
    const listed = Object.values(headers).reduce((sum, values) => sum + values.length, 0);
    return text.isWellFormed() && listed === sent.headers.length && opened.engine.evaluate(text).ok;
  });
  t.doesNotThrow(() => {
    fc.assert(written);
  });
});
