/**
 * What a policy sees of a body (design.md §6). Only a body that was read in the one way its policy counts on is
 * `parsed`; every other state denies where a rule may look at the body.
 */
import type { Json } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Call } from './call.ts';
import { decoderOf } from './decode.ts';
import { readForm, readMultipart } from './form.ts';
import type { FormFields, FormPart } from './form.ts';
import { readJson, unparsable } from './json-content.ts';
import { llmApi, readLlm } from './llm.ts';
import type { LlmRequest } from './llm.ts';
import { readMcp } from './mcp.ts';
import type { McpMessage } from './mcp.ts';
import { readMediaType } from './media-type.ts';

/** The members of `input.call.content` beside its state. A policy's compiler says which of them its rules may read. */
export const contentMembers = ['form', 'json', 'kind', 'llm', 'mcp', 'multipart'] as const;

/** One of them. */
export type ContentMember = (typeof contentMembers)[number];

/** A body as it stands in the policy's input, with the members that its rules may read and no others. */
export interface ParsedContent {
  readonly state: 'parsed';
  readonly kind: 'json' | 'mcp' | 'llm' | 'form' | 'multipart';
  readonly json?: Json;
  /** One message: those of a batch are decided one by one. */
  readonly mcp?: McpMessage;
  readonly llm?: LlmRequest;
  readonly form?: FormFields;
  readonly multipart?: readonly FormPart[];
}

/** `input.call.content`. */
export type Content = { readonly state: 'none' | 'unread' } | ParsedContent;

/** What a body is read for. */
export interface ContentOrder {
  readonly members: readonly ContentMember[];
  /** Bytes that a compressed body may grow to. */
  readonly limit: number;
}

/** What of a call says how its body is to be read. */
export type BodyContext = Pick<Call, 'action' | 'framing' | 'headers' | 'method' | 'segments'>;

/** Whether a call may have a body. A chunked one may turn out to be empty. */
export function hasBody({ framing }: Pick<Call, 'framing'>): boolean {
  return framing.kind === 'chunked' || (framing.kind === 'length' && framing.bytes > 0);
}

/**
 * The contents of a call that a policy is to decide, all of which must pass: one, or one for each message of a JSON-RPC
 * batch. Refused where the policy reads bodies and this one has no reading: `content_unparsable`, `content_too_large`,
 * `policy_content_unread` (not read at all, or of a kind that no rule looks at).
 */
export function readContent(
  call: BodyContext,
  body: Uint8Array | undefined,
  order: ContentOrder,
): Outcome<readonly Content[]> {
  const isOpaque = call.action === 'UPGRADE' || call.action === 'CONNECT'; // what follows is no body, and nobody reads it
  const isEmpty = body ? body.length === 0 : !hasBody(call);
  if (isEmpty && !isOpaque) return pass([{ state: 'none' }]);
  if (order.members.length === 0) return pass([{ state: 'unread' }]);
  if (!body) return unread('the body was not asked for');
  const plain = decoded(call, body, order.limit);
  return plain.ok ? parse(call, plain.value, order) : plain;
}

/** The JSON of a body that says it is JSON, whatever the policy reads. */
export function readJsonBody(call: BodyContext, body: Uint8Array, limit: number): Outcome<Json> {
  if (familyOf(call) !== 'json') return unread('not application/json');
  const plain = decoded(call, body, limit);
  return plain.ok ? readJson(plain.value) : plain;
}

function parse(call: BodyContext, body: Uint8Array, order: ContentOrder): Outcome<readonly Content[]> {
  const { members } = order;
  const reads = (...names: readonly ContentMember[]): boolean =>
    members.includes('kind') || names.some((name) => members.includes(name));
  switch (familyOf(call)) {
    case 'json':
      return reads('json', 'llm', 'mcp') ? parseJson(call, body, order) : unread('no rule reads JSON');
    case 'form':
      return reads('form') ? parseForm(body, members) : unread('no rule reads forms');
    case 'multipart':
      return reads('multipart') ? parseMultipart(call, body, members) : unread('no rule reads multipart');
    default:
      return unread('a media type that is not read');
  }
}

function parseJson(
  call: BodyContext,
  body: Uint8Array,
  { members, limit }: ContentOrder,
): Outcome<readonly Content[]> {
  const json = readJson(body);
  if (!json.ok) return json;
  const wants = (name: ContentMember): boolean => members.includes(name) || members.includes('kind');
  const api = wants('llm') ? llmApi(call) : undefined;
  const llm = api && readLlm(api, json.value);
  if (llm && !llm.ok) return llm;
  const messages = wants('mcp') && !llm ? readMcp(json.value) : pass([]);
  if (!messages.ok) return messages;
  const whole = {
    state: 'parsed' as const,
    ...(members.includes('json') && { json: json.value }),
  };
  if (llm) return pass([{ ...whole, kind: 'llm', ...(members.includes('llm') && { llm: llm.value }) }]);
  if (messages.value.length === 0) return pass([{ ...whole, kind: 'json' }]);
  if (members.includes('json') && messages.value.length * body.length > limit) return tooLarge(limit); // it stands in each
  return pass(
    messages.value.map((mcp) => ({ ...whole, kind: 'mcp', ...(members.includes('mcp') && { mcp }) })),
  );
}

function parseForm(body: Uint8Array, members: readonly ContentMember[]): Outcome<readonly Content[]> {
  const form = readForm(body);
  if (!form.ok) return form;
  return pass([{ state: 'parsed', kind: 'form', ...(members.includes('form') && { form: form.value }) }]);
}

function parseMultipart(
  call: BodyContext,
  body: Uint8Array,
  members: readonly ContentMember[],
): Outcome<readonly Content[]> {
  const multipart = readMultipart(body, readMediaType(call.headers)?.parameters.get('boundary'));
  if (!multipart) return unread('multipart in a spelling that is not read');
  return pass([{ state: 'parsed', kind: 'multipart', ...(members.includes('multipart') && { multipart }) }]);
}

function familyOf({ headers }: Pick<Call, 'headers'>): 'json' | 'form' | 'multipart' | undefined {
  const media = readMediaType(headers);
  if (!media) return undefined;
  if ((media.parameters.get('charset') ?? 'utf-8').toLowerCase() !== 'utf-8') return undefined;
  if (/^application\/(?:[^/]+\+)?json$/.test(media.type)) return 'json';
  if (media.type === 'application/x-www-form-urlencoded') return 'form';
  return media.type === 'multipart/form-data' ? 'multipart' : undefined;
}

/** A body without its content coding (RFC 9110 §8.4): none, gzip or br, once, and never larger than the limit. */
function decoded(call: BodyContext, body: Uint8Array, limit: number): Outcome<Uint8Array> {
  const codings = call.headers.filter(([name]) => name === 'content-encoding').map(([, value]) => value);
  if (body.length > limit) return tooLarge(limit);
  const [coding = 'identity', ...others] = codings.map((value) => value.trim().toLowerCase());
  if (coding === 'identity' && others.length === 0) return pass(body);
  const decode = others.length === 0 ? decoderOf(coding) : undefined;
  if (!decode) return unread('a content coding that is not read');
  try {
    return pass(decode(body, limit));
  } catch (cause) {
    const isOver = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    return isOver ? tooLarge(limit) : unparsable(`not ${coding}`);
  }
}

/** A body past the limit for bodies that are read. */
export function tooLarge(limit: number): Refusal {
  return deny('content_too_large', `the body is larger than ${limit} bytes`);
}

function unread(detail: string): Refusal {
  return deny('policy_content_unread', detail);
}
