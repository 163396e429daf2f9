/** Calls to language models, recognised by the shape of the provider's API, whoever serves it. */
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Call } from './call.ts';
import { lookalike, member, objectMember, unparsable } from './json-content.ts';

/** Whose API it is, and which of its endpoints. */
export interface LlmApi {
  readonly provider: 'openai' | 'anthropic' | 'google';
  readonly operation: 'chat' | 'responses' | 'completions' | 'messages' | 'generate';
  /** Where the path names it (Google). */
  readonly model?: string;
  /** Where the path asks for a stream (Google). */
  readonly stream?: boolean;
}

/** What is asked of a model. The agent wrote it. */
export interface LlmRequest {
  readonly provider: LlmApi['provider'];
  readonly operation: LlmApi['operation'];
  /** Absent where neither path nor body names one. */
  readonly model?: string;
  readonly stream: boolean;
  /** The most that the answer may hold; absent: as much as the provider gives. */
  readonly max_tokens?: number;
  /** Names of functions, types of what the provider brings itself, and `member:*` for tools that are elsewhere. */
  readonly tools: readonly string[];
}

/** Lower-case path endings of the APIs that are known; longer ones go first. */
const endings: readonly (readonly [path: readonly string[], api: LlmApi])[] = [
  [['chat', 'completions'], { provider: 'openai', operation: 'chat' }],
  [['v1', 'messages'], { provider: 'anthropic', operation: 'messages' }],
  [['completions'], { provider: 'openai', operation: 'completions' }],
  [['responses'], { provider: 'openai', operation: 'responses' }],
];

/**
 * Members that give a model tools, or code to run, which do not stand in the body, or not among its tools: a cache or prompt
 * that is kept at the provider, servers that it asks, a container with skills, a search.
 */
const ELSEWHERE: Readonly<Record<LlmApi['operation'], readonly string[]>> = {
  chat: ['web_search_options'],
  completions: [],
  generate: ['cachedContent', 'cached_content'],
  messages: ['container', 'mcp_servers'],
  responses: ['prompt'],
};

/** Where each provider's bodies say how long an answer may be; where more than one stands, the largest counts. */
const LIMITS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];
const NAMES = ['model', 'stream', 'tools', 'functions', ...LIMITS];
const GOOGLE_LIMITS = ['maxOutputTokens', 'max_output_tokens'];
const GOOGLE_NAMES = ['tools', 'generationConfig', 'generation_config'];
const GOOGLE_FUNCTIONS = ['functionDeclarations', 'function_declarations'];
/** What Google's tools may be; its parser takes each in snake case as well. */
const GOOGLE_KINDS = [
  ...[
    'codeExecution',
    'computerUse',
    'enterpriseWebSearch',
    'fileSearch',
    'functionDeclarations',
    'googleMaps',
  ],
  ...['googleSearch', 'googleSearchRetrieval', 'mcpServers', 'retrieval', 'urlContext'],
];
const GOOGLE_TOOL_NAMES = GOOGLE_KINDS.flatMap((kind) => [kind, kind.replace(/[A-Z]/g, '_$&').toLowerCase()]);
/** Where a tool holds the function that it is. */
const HOLDERS = ['function', 'custom'];
const TOOL_NAMES = [...HOLDERS, 'name', 'type'];

/** The API that a call is for, undefined for any other. Looks at method and path alone. */
export function llmApi({ method, segments }: Pick<Call, 'method' | 'segments'>): LlmApi | undefined {
  if (method !== 'POST') return undefined;
  const path = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  const google = /^([^:]+):(generateContent|streamGenerateContent)$/.exec(path.at(-1) ?? '');
  if (google && path.at(-2) === 'models')
    return {
      provider: 'google',
      operation: 'generate',
      model: google[1] ?? '',
      stream: google[2] === 'streamGenerateContent',
    };
  const lower = path.map((segment) => segment.toLowerCase());
  return endings.find(([ending]) => ending.every((part, at) => part === lower.at(at - ending.length)))?.[1];
}

/** What a body asks of a model. `content_unparsable` where the provider could take it otherwise. */
export function readLlm(api: LlmApi, body: Json): Outcome<LlmRequest> {
  if (!isJsonObject(body)) return unparsable('a model is asked with what is no object');
  return api.provider === 'google' ? readGoogle(api, body) : readPlain(api, body);
}

function readPlain({ provider, operation }: LlmApi, body: JsonObject): Outcome<LlmRequest> {
  const lists = [member(body, 'tools') ?? [], member(body, 'functions') ?? []];
  if (!lists.every(Array.isArray)) return unparsable('tools that are no list');
  const offered = lists.flatMap(listOf);
  const names = [...NAMES, ...ELSEWHERE[operation]];
  const double = lookalike(body, names) ?? firstOf(offered.map(doubleInTool));
  if (double !== undefined) return unparsable(`a model is asked with ${JSON.stringify(double)}`);
  const model = member(body, 'model') ?? undefined;
  const stream = member(body, 'stream') ?? false;
  if (model !== undefined && typeof model !== 'string') return unparsable('a model that is no name');
  if (typeof stream !== 'boolean') return unparsable('stream is neither true nor false');
  const limit = largest([body], LIMITS);
  if (!limit.ok) return limit;
  return pass({
    provider,
    operation,
    ...(model === undefined ? {} : { model }),
    stream,
    ...limit.value,
    tools: [...offered.map(toolName), ...toolsElsewhere(operation, body)],
  });
}

function readGoogle(api: LlmApi, body: JsonObject): Outcome<LlmRequest> {
  const settings = ['generationConfig', 'generation_config'].map((name) => objectMember(body, name));
  const doubles = settings.map((each) => lookalike(each, GOOGLE_LIMITS));
  const offered = listOf(member(body, 'tools'));
  const names = [...GOOGLE_NAMES, ...ELSEWHERE[api.operation]];
  const double = lookalike(body, names) ?? firstOf([...doubles, ...offered.map(doubleInGoogleTool)]);
  if (double !== undefined) return unparsable(`a model is asked with ${JSON.stringify(double)}`);
  const limit = largest(settings, GOOGLE_LIMITS);
  if (!limit.ok) return limit;
  const { provider, operation, model = '', stream = false } = api;
  const tools = [...offered.flatMap(googleTools), ...toolsElsewhere(operation, body)];
  return pass({ provider, operation, model, stream, ...limit.value, tools });
}

function largest(
  objects: readonly JsonObject[],
  names: readonly string[],
): Outcome<{ readonly max_tokens?: number }> {
  const given = objects.flatMap((object) => names.flatMap((name) => member(object, name) ?? []));
  if (given.length === 0) return pass({});
  const numbers = given.filter((value) => typeof value === 'number');
  if (numbers.length !== given.length) return unparsable('a limit of tokens that is no number');
  return pass({ max_tokens: Math.max(...numbers) });
}

/** The elements of a list; a value that stands alone is a list of one to Google's parser. */
function listOf(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[]; // isArray forgets what the elements are
  return value === undefined || value === null ? [] : [value];
}

/** A member of a tool that some parsers take for the one that names it: they would run another than policy was shown. */
function doubleInTool(tool: Json): string | undefined {
  if (!isJsonObject(tool)) return undefined;
  const held = HOLDERS.map((holder) => lookalike(objectMember(tool, holder), ['name']));
  return lookalike(tool, TOOL_NAMES) ?? firstOf(held);
}

function doubleInGoogleTool(tool: Json): string | undefined {
  if (!isJsonObject(tool)) return undefined;
  const functions = functionsOf(tool).filter(isJsonObject);
  return (
    lookalike(tool, GOOGLE_TOOL_NAMES) ?? firstOf(functions.map((declared) => lookalike(declared, ['name'])))
  );
}

function firstOf(found: readonly (string | undefined)[]): string | undefined {
  return found.find((each) => each !== undefined);
}

/** A function's name, wherever its provider puts it; else the type of a tool that the provider brings. */
function toolName(tool: Json): string {
  if (!isJsonObject(tool)) return '';
  const places = [...HOLDERS.map((holder) => objectMember(tool, holder)), tool];
  const named = places.map((at) => member(at, 'name'));
  return named.find((name) => typeof name === 'string') ?? textOf(member(tool, 'type'));
}

/** Functions by name, everything else by its kind, in camel case however it was written. */
function googleTools(tool: Json): readonly string[] {
  if (!isJsonObject(tool)) return [''];
  const kinds = Object.keys(tool).filter((kind) => !GOOGLE_FUNCTIONS.includes(kind));
  const functions = functionsOf(tool).map((each) =>
    textOf(isJsonObject(each) ? member(each, 'name') : undefined),
  );
  return [...functions, ...kinds.map(camelCase)];
}

/** `*` stands in no function's name: whoever allows a function of the member's name has not allowed what it holds. */
function toolsElsewhere(operation: LlmApi['operation'], body: JsonObject): readonly string[] {
  const given = ELSEWHERE[operation].filter((name) => listOf(member(body, name)).length > 0);
  return given.map((name) => `${operation === 'generate' ? camelCase(name) : name}:*`);
}

function functionsOf(tool: JsonObject): readonly Json[] {
  return GOOGLE_FUNCTIONS.flatMap((name) => listOf(member(tool, name)));
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
