/** The MCP SDK's client and server over streamable HTTP: a session, tools, progress, and tools that are refused. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { assertReceipt } from '../e2e/denied.ts';
import { compiled } from '../e2e/policies.ts';
import { startMcpServer } from './mcp-server.ts';
import { sdkFetch } from './sdk-fetch.ts';
import { startSidecar } from './stage.ts';
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

const example = new URL('../../rego/examples/mcp/', import.meta.url);
const policy = readFileSync(new URL('policy.rego', example), 'utf8');
const data = JSON.parse(readFileSync(new URL('data.json', example), 'utf8')) as Readonly<
  Record<string, object>
>;
const listed = {
  ...data,
  servers: { localhost: true },
  tools: { ...data['tools'], count: {}, rename_file: {} },
};

const server = await startMcpServer(t);
const stage = await startSidecar(t, {
  origins: [server],
  settings: {
    policy: { bundle: await compiled({ 'policy.rego': policy, 'data.json': JSON.stringify(listed) }) },
  },
});

/** A grant for the endpoint, with these tools where given. */
const granted = (tools?: readonly string[]): string =>
  stage.grant({ entry: { paths: ['/mcp', '/'], ...(tools && { mcp_tools: tools }) } });

interface Session {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

async function open(t: Test, way: Way, grant: string): Promise<Session> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  t.teardown(() => client.close());
  const url = new URL(`${way.url}/mcp`);
  const options = { requestInit: { headers: way.headers(grant) }, ...sdkFetch(t, stage, { way, grant }) };
  const transport = new StreamableHTTPClientTransport(url, { ...options, reconnectionOptions: NEVER });
  await client.connect(transport as Transport); // the SDK's types know no exactOptionalPropertyTypes
  return { client, transport };
}

const NEVER = {
  maxRetries: 0,
  initialReconnectionDelay: 1,
  maxReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
};

/** The denial that a call of this tool got: the SDK has its document behind a few words of its own. */
async function refusal(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const fault: unknown = await client.callTool({ name, arguments: args }).catch((cause: unknown) => cause);
  if (!(fault instanceof StreamableHTTPError) || fault.code !== 403)
    throw new Error(`no denial: ${String(fault)}`);
  return fault.message.slice(fault.message.indexOf('{'));
}

for (const way of Object.values(stage.ways)) {
  t.test(way.name, { skip: way.skip }, async (t) => {
    server.ran.length = 0;
    const entries = stage.home.entries().length;
    const { client, transport } = await open(t, way, granted(['search', 'count', 'delete_*']));
    const { tools } = await client.listTools();
    t.strictSame(tools.map((tool) => tool.name).toSorted(), [
      'count',
      'delete_file',
      'read_file',
      'rename_file',
      'search',
    ]);
    t.match(await client.callTool({ name: 'search', arguments: { query: 'x' } }), {
      content: [{ text: 'search: {"query":"x"}' }],
    });
    const steps: number[] = [];
    await client.callTool({ name: 'count' }, undefined, {
      onprogress: ({ progress }) => (steps.push(progress), server.advance()),
    });
    t.strictSame(steps, [1, 2, 3], 'each step arrives before the server takes the next');
    assertReceipt(t, stage.home, { body: await refusal(client, 'rename_file'), code: 'scope_tools' });
    const { is } = assertReceipt(t, stage.home, {
      body: await refusal(client, 'delete_file'),
      code: 'policy_denied',
    });
    t.strictSame(is['reasons'], ['tool_not_listed']);
    t.match(
      await client.callTool({ name: 'search' }),
      { content: [{ text: 'search: {}' }] },
      'the session goes on',
    );
    t.strictSame(server.ran, ['search', 'count', 'search'], 'what the server ran');
    await transport.terminateSession();
    t.equal(server.seen.at(-1), 'DELETE /mcp', 'and ends where the client ends it');
    assertWay(t, stage.home, way, entries);
  });
}

t.test('policy looks into the arguments of a tool', async (t) => {
  server.ran.length = 0;
  const { client } = await open(t, stage.ways.reverse, granted());
  t.match(await client.callTool({ name: 'read_file', arguments: { path: '/workspace/a' } }), {
    content: [{}],
  });
  const body = await refusal(client, 'read_file', { path: '/workspace/../etc/passwd' });
  t.strictSame(assertReceipt(t, stage.home, { body, code: 'policy_denied' }).is['reasons'], [
    'outside_the_workspace',
  ]);
  t.strictSame(server.ran, ['read_file']);
});
