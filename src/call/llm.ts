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
  /** Names of functions, and types of what the provider brings itself. */
  readonly tools: readonly string[];
}

/** Lower-case path endings of the APIs that are known; longer ones go first. */
const endings: readonly (readonly [path: readonly string[], api: LlmApi])[] = [
  [['chat', 'completions'], { provider: 'openai', operation: 'chat' }],
  [['v1', 'messages'], { provider: 'anthropic', operation: 'messages' }],
  [['completions'], { provider: 'openai', operation: 'completions' }],
  [['responses'], { provider: 'openai', operation: 'responses' }],
];

/** Where each provider's bodies say how long an answer may be; where more than one stands, the largest counts. */
const LIMITS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];
const NAMES = ['model', 'stream', 'tools', 'functions', ...LIMITS];
const GOOGLE_LIMITS = ['maxOutputTokens', 'max_output_tokens'];
const GOOGLE_NAMES = ['tools', 'generationConfig', 'generation_config'];
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
  const offered = [...listed(body, 'tools'), ...listed(body, 'functions')];
  const double = lookalike(body, NAMES) ?? firstOf(offered.map(doubleInTool));
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
    tools: offered.map(toolName),
  });
}

function readGoogle(api: LlmApi, body: JsonObject): Outcome<LlmRequest> {
  const settings = ['generationConfig', 'generation_config'].map((name) => objectMember(body, name));
  const doubles = settings.map((each) => lookalike(each, GOOGLE_LIMITS));
  const double = lookalike(body, GOOGLE_NAMES) ?? firstOf(doubles);
  if (double !== undefined) return unparsable(`a model is asked with ${JSON.stringify(double)}`);
  const limit = largest(settings, GOOGLE_LIMITS);
  if (!limit.ok) return limit;
  const tools = listed(body, 'tools').flatMap(googleTools);
  const { provider, operation, model = '', stream = false } = api;
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

function listed(body: JsonObject, name: string): readonly Json[] {
  const value = member(body, name);
  return Array.isArray(value) ? (value as readonly Json[]) : []; // isArray forgets what the elements are
}

/** A member of a tool that some parsers take for the one that names it: they would run another than policy was shown. */
function doubleInTool(tool: Json): string | undefined {
  if (!isJsonObject(tool)) return undefined;
  const held = HOLDERS.map((holder) => lookalike(objectMember(tool, holder), ['name']));
  return lookalike(tool, TOOL_NAMES) ?? firstOf(held);
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

function googleTools(tool: Json): readonly string[] {
  if (!isJsonObject(tool)) return [''];
  return Object.keys(tool).flatMap((kind) => {
    const functions = /^function_?declarations$/i.test(kind) ? listed(tool, kind) : undefined;
    return functions?.map((each) => textOf(isJsonObject(each) ? member(each, 'name') : undefined)) ?? [kind];
  });
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
