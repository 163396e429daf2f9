/**
 * What a call to a language model cost, as its provider says in the answer: read beside the stream, which is neither held
 * back nor changed. An upstream is not to be trusted; what is no plausible number counts as not said.
 */
import { createParser } from 'eventsource-parser';
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import type { Call, Header } from './call.ts';
import { codingOf, Unpacker } from './content-coding.ts';
import { member, objectMember } from './json-content.ts';
import { llmApi } from './llm.ts';
import type { LlmApi } from './llm.ts';
import { readMediaType } from './media-type.ts';

/** Tokens of one answer. */
export interface LlmUsage {
  /** Whose API it is, whoever serves it. */
  readonly provider: LlmApi['provider'];
  /** `unread`: the answer is too large, broken or of another kind. `absent`: it says nothing of its cost. */
  readonly state: 'counted' | 'absent' | 'unread';
  /** As the answer names it: at most 128 visible ASCII characters. */
  readonly model?: string;
  /** As the provider counts them; Anthropic leaves out what its cache held. */
  readonly input_tokens?: number;
  readonly output_tokens?: number;
}

const MAX_EVENT = 256 * 1024;
const MAX_JSON = 1024 * 1024;
/** Of an answer as it is, also where it came compressed. */
const MAX_STREAM = 64 * 1024 * 1024;
const MAX_TOKENS = 1_000_000_000;

const INPUT = ['input_tokens', 'prompt_tokens', 'promptTokenCount'];
const OUTPUT = ['output_tokens', 'completion_tokens', 'candidatesTokenCount'];

/**
 * A reader for the answer to this call, whose headers are name, value, name, value …, names in lower case; undefined for
 * a call that is no model's, or that failed.
 */
export function usageReader(
  call: Pick<Call, 'method' | 'segments'>,
  status: number,
  headers: readonly string[],
): UsageReader | undefined {
  const api = llmApi(call);
  if (!api || status < 200 || status > 299) return undefined;
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] ?? ''] as const] : []));
  return new UsageReader(api.provider, pairs);
}

/** Reads one answer. Takes whatever an upstream sends, in bounded memory, and never throws. */
export class UsageReader {
  readonly #provider: LlmApi['provider'];
  readonly #events: boolean;
  readonly #decoder = new TextDecoder();
  readonly #unpacker: Unpacker | undefined;
  #readable: boolean;
  #text = '';
  #taken = 0;
  #found: { model?: string; input_tokens?: number; output_tokens?: number } = {};
  readonly #parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent: ({ data }) => this.#note(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') this.#readable = false;
    },
  });

  constructor(provider: LlmApi['provider'], headers: readonly Header[]) {
    this.#provider = provider;
    const type = readMediaType(headers)?.type;
    this.#events = type === 'text/event-stream';
    const codings = headers.filter(([name]) => name === 'content-encoding').map(([, value]) => value);
    const coding = codingOf(codings);
    const isPlain = codings.every((name) => name.trim().toLowerCase() === 'identity');
    const isKnown = isPlain || coding !== undefined;
    this.#readable = isKnown && (this.#events || type === 'application/json');
    this.#unpacker =
      this.#readable && coding ? new Unpacker(coding, (bytes) => this.#take(bytes)) : undefined;
  }

  /** Takes the next bytes of the answer's body. */
  add(bytes: Uint8Array): void {
    if (this.#unpacker) this.#unpacker.add(bytes);
    else this.#take(bytes);
  }

  /** What was found, once the answer is over. */
  async close(): Promise<LlmUsage> {
    if (this.#unpacker && !(await this.#unpacker.close())) this.#readable = false;
    if (this.#readable && !this.#events) this.#note(this.#text);
    this.#text = '';
    const { input_tokens, output_tokens } = this.#found;
    const isCounted = input_tokens !== undefined || output_tokens !== undefined;
    const state = isCounted ? 'counted' : this.#readable ? 'absent' : 'unread';
    return { provider: this.#provider, state, ...this.#found };
  }

  /** False where no more of it is read. */
  #take(bytes: Uint8Array): boolean {
    if (!this.#readable) return false;
    this.#taken += bytes.length;
    if (this.#taken > (this.#events ? MAX_STREAM : MAX_JSON)) return (this.#readable = false);
    const text = this.#decoder.decode(bytes, { stream: true });
    if (this.#events) this.#parser.feed(text);
    else this.#text += text;
    return this.#readable;
  }

  /** Later numbers stand for earlier ones: providers count on while they stream. */
  #note(text: string): void {
    if (!text.includes('"usage') && this.#found.model !== undefined) return;
    const value = parsed(text);
    for (const item of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
      if (!isJsonObject(item)) continue;
      const places = [item, objectMember(item, 'response'), objectMember(item, 'message')];
      const usages = places.flatMap((at) => [objectMember(at, 'usage'), objectMember(at, 'usageMetadata')]);
      const model = places.flatMap((at) => [member(at, 'model'), member(at, 'modelVersion')]).find(isName);
      const input = usages.map((usage) => tokens(usage, INPUT)).find(isKnown);
      const output = usages.map((usage) => tokens(usage, OUTPUT)).find(isKnown);
      if (model !== undefined) this.#found.model = model;
      if (input !== undefined) this.#found.input_tokens = input;
      if (output !== undefined) this.#found.output_tokens = output;
    }
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json; // looked at member by member
  } catch {
    return null;
  }
}

function tokens(usage: JsonObject, names: readonly string[]): number | undefined {
  return names.map((name) => member(usage, name)).find(isTokens);
}

function isTokens(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MAX_TOKENS;
}

function isKnown(value: number | undefined): value is number {
  return value !== undefined;
}

function isName(value: Json | undefined): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value);
}
