/** An MCP server by the official SDK, over https. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Teardown } from '../e2e/home.ts';
import { startTlsOrigin } from '../e2e/tls-origin.ts';
import type { TlsOrigin } from '../e2e/tls-origin.ts';

/** A server that listens; its endpoint is `/mcp`. */
export interface ToolServer extends TlsOrigin {
  /** Names of the tools that ran. */
  readonly ran: string[];
  /** The client has heard of the last step of `count`: the next may be taken. */
  advance(): void;
}

const STEPS = [1, 2, 3];

/** Starts one; `count` reports its steps, every other tool says what it was given. */
export async function startMcpServer(t: Teardown): Promise<ToolServer> {
  const ran: string[] = [];
  let advance: () => void = () => undefined;
  const sessions = new Map<string, StreamableHTTPServerTransport>();

  function tools(): McpServer {
    const server = new McpServer({ name: 'tools', version: '1.0.0' });
    for (const name of ['search', 'read_file', 'delete_file', 'rename_file'])
      server.registerTool(name, { inputSchema: z.looseObject({}) }, (given) => {
        ran.push(name);
        return { content: [{ type: 'text', text: `${name}: ${JSON.stringify(given)}` }] };
      });
    server.registerTool('count', {}, async ({ _meta, sendNotification }) => {
      ran.push('count');
      for (const progress of STEPS) {
        const heard = new Promise<void>((resolve) => (advance = resolve));
        const params = { progress, progressToken: _meta?.progressToken ?? '' };
        await sendNotification({ method: 'notifications/progress', params });
        await heard;
      }
      return { content: [] };
    });
    return server;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const known = sessions.get(String(request.headers['mcp-session-id']));
    if (known) return known.handleRequest(request, response);
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await tools().connect(transport as Transport); // the SDK's types know no exactOptionalPropertyTypes
    await transport.handleRequest(request, response);
  }

  const origin = await startTlsOrigin(t, (request, response) => void handle(request, response));
  return { ...origin, ran, advance: () => advance() };
}
