/** MCP over streamable HTTP: JSON-RPC 2.0 messages, read as a server that is lenient would read them. */
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { fold, lookalike, member, unparsable } from './json-content.ts';

/** One message. Everything in it was written by the agent. */
export interface McpMessage {
  readonly kind: 'request' | 'notification' | 'response';
  /** Absent in a response. */
  readonly method?: string;
  readonly id?: string | number;
  /** The tool of a `tools/call`, which always has one. */
  readonly tool?: string;
  /** Its arguments; `{}` where it has none. */
  readonly arguments?: JsonObject;
  /** The parameters of any other method, where it has some. */
  readonly params?: Json;
}

const MAX_BATCH = 32;
const MAX_NAME = 256;

const envelope = ['jsonrpc', 'id', 'method', 'params', 'result', 'error'];

/**
 * The messages of a JSON body, more than one for a batch; none where it is not JSON-RPC. Whatever has a `method` counts,
 * also without `jsonrpc`: a server may not insist. `content_unparsable` where servers could differ about what it says.
 */
export function readMcp(body: Json): Outcome<readonly McpMessage[]> {
  const items: readonly Json[] = Array.isArray(body) ? body : [body];
  if (!items.some(isRpc)) return pass([]);
  if (items.length > MAX_BATCH) return unparsable(`a batch of more than ${MAX_BATCH}`);
  const messages: McpMessage[] = [];
  for (const item of items) {
    const message = isRpc(item) ? readMessage(item) : unparsable('a batch holds what is no message');
    if (!message.ok) return message;
    messages.push(message.value);
  }
  return pass(messages);
}

/**
 * Whether a message stays within these tools: a call of one whose name a pattern matches, or what a session needs to be
 * able to call at all. Patterns are names in which `*` stands for any text.
 */
export function withinTools(patterns: readonly string[], { kind, method, tool }: McpMessage): boolean {
  if (kind === 'response') return true;
  if (method === 'tools/call') return patterns.some((pattern) => matchesTool(pattern, tool ?? ''));
  return SESSION.has(method ?? '');
}

/** What opens, keeps and ends a session, and lists tools. Resources, prompts and the rest are not tools. */
const SESSION: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'tools/list',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
]);

/** Whether a name matches a pattern. Its parts are looked for in turn, so that the cost is bounded by their lengths. */
export function matchesTool(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (name.length < first.length + last.length) return false;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  const middle = name.slice(first.length, name.length - last.length);
  let at = 0;
  for (const part of rest) {
    const found = middle.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

function isRpc(value: Json): value is JsonObject {
  if (!isJsonObject(value)) return false;
  const names = Object.keys(value).map(fold);
  return names.includes('jsonrpc') || names.includes('method');
}

function readMessage(message: JsonObject): Outcome<McpMessage> {
  const double = lookalike(message, envelope);
  if (double !== undefined) return unparsable(`JSON-RPC with ${JSON.stringify(double)}`);
  const version = member(message, 'jsonrpc');
  if (version !== undefined && version !== '2.0') return unparsable('not JSON-RPC 2.0');
  const id = member(message, 'id');
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'number')
    return unparsable('a JSON-RPC id that is neither text nor number');
  const method = member(message, 'method');
  const answers = Object.hasOwn(message, 'result') || Object.hasOwn(message, 'error');
  if (method === undefined)
    return answers && id !== undefined
      ? pass({ kind: 'response', id })
      : unparsable('JSON-RPC without a method');
  if (answers) return unparsable('a JSON-RPC request with an answer');
  if (typeof method !== 'string' || method.length > MAX_NAME) return unparsable('a method that is no name');
  const head = id === undefined ? { kind: 'notification' as const } : { kind: 'request' as const, id };
  const params = member(message, 'params');
  if (method === 'tools/call') return readToolCall({ ...head, method }, params);
  return pass({ ...head, method, ...(params === undefined ? {} : { params }) });
}

function readToolCall(head: McpMessage, params: Json | undefined): Outcome<McpMessage> {
  if (!isJsonObject(params)) return unparsable('tools/call without parameters');
  const double = lookalike(params, ['name', 'arguments']);
  if (double !== undefined) return unparsable(`tools/call with ${JSON.stringify(double)}`);
  const tool = member(params, 'name');
  if (typeof tool !== 'string' || tool === '' || tool.length > MAX_NAME)
    return unparsable('tools/call without a name');
  const given = member(params, 'arguments') ?? {};
  if (!isJsonObject(given)) return unparsable('arguments that are no object');
  return pass({ ...head, tool, arguments: given });
}
