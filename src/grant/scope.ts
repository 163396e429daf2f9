/** Whether a grant covers a call: one entry must cover all of it, and the first that does is the covering entry. */
import type { Call } from '../call/call.ts';
import { placeOf } from '../call/host.ts';
import { withinTools } from '../call/mcp.ts';
import type { McpMessage } from '../call/mcp.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { DenialCode } from '../denial/table.ts';
import type { Coverage, Grant, ScopeEntry } from './grant.ts';

interface Step {
  readonly covers: (entry: ScopeEntry, call: Call) => boolean;
  readonly otherwise: DenialCode;
}

/** From the widest question to the narrowest: the refusal names the step that the best entry failed at. */
const steps: readonly Step[] = [
  { covers: coversLocation, otherwise: 'scope_location' },
  { covers: coversAction, otherwise: 'scope_action' },
  { covers: coversPath, otherwise: 'scope_path' },
  { covers: coversUnread, otherwise: 'scope_content' },
  { covers: coversLength, otherwise: 'scope_request_bytes' },
];

/** The first entry that covers all of a call but its content, which only the body itself can show (`needsBody`). */
export function coverCall(grant: Grant, call: Call): Outcome<Coverage> {
  let best = 0;
  for (const [index, entry] of grant.root.scope.entries()) {
    const failed = steps.findIndex(({ covers }) => !covers(entry, call));
    if (failed < 0) return pass({ grant, index, entry, needsBody: bindsContent(entry) });
    best = Math.max(best, failed);
  }
  return refusalAt(best, call);
}

/**
 * Whether one entry names host and port of an intercepted CONNECT, which has no scheme: what its inside speaks shows
 * later, and each request there is covered on its own.
 */
export function coverTunnel(grant: Grant, { host, port }: Call): Outcome<Grant> {
  const places = (['https', 'http'] as const).map((scheme) => placeOf(scheme, { host, port }).origin);
  const named = grant.root.scope.some(({ locations }) => places.some((place) => locations.includes(place)));
  return named ? pass(grant) : deny('scope_location', `CONNECT ${host}:${port}`);
}

/** A body that was read. */
export interface Content {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Bytes. */
  readonly length: number;
  /** What it asks of an MCP server; absent where that cannot be read. */
  readonly messages?: readonly McpMessage[] | undefined;
}

/**
 * The first entry that covers a call with this body: content included, and by now also the length of a chunked one.
 * `scope_tools` where only `mcp_tools` speaks against the entry that comes closest.
 */
export function coverContent(grant: Grant, call: Call, content: Content): Outcome<Coverage> {
  const read: Call = { ...call, framing: { kind: 'length', bytes: content.length } };
  const { scope } = grant.root;
  const covers = (entry: ScopeEntry): boolean => coversContent(entry, content) && coversCall(entry, read);
  const index = scope.findIndex((entry) => covers(entry) && coversTools(entry, content));
  const entry = scope[index];
  if (entry) return pass({ grant, index, entry, needsBody: false });
  return scope.some(covers)
    ? deny('scope_tools', 'no entry covers what it asks of the MCP server')
    : deny('scope_content', `no entry covers a body of ${content.sha256}`);
}

/** Whether a pattern matches segments: a literal itself, `*` one segment that is not empty, final `**` one or more. */
export function matchesPath(pattern: readonly string[], segments: readonly string[]): boolean {
  const open = pattern.at(-1) === '**';
  if (open ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  const fixed = open ? pattern.slice(0, -1) : pattern;
  return fixed.every((part, at) => (part === '*' ? segments[at] !== '' : part === segments[at]));
}

function coversCall(entry: ScopeEntry, call: Call): boolean {
  return steps.every(({ covers }) => covers(entry, call));
}

function bindsContent({ content_sha256, mcp_tools }: ScopeEntry): boolean {
  return content_sha256 !== undefined || mcp_tools !== undefined;
}

function coversContent({ content_sha256 }: ScopeEntry, { sha256 }: Content): boolean {
  return content_sha256 === undefined || content_sha256 === sha256;
}

/** Every message must stay within the tools. No body asks for none: it opens, or ends, a stream of answers. */
function coversTools({ mcp_tools }: ScopeEntry, { length, messages = [] }: Content): boolean {
  if (mcp_tools === undefined || length === 0) return true;
  return messages.length > 0 && messages.every((message) => withinTools(mcp_tools, message));
}

function coversLocation({ locations }: ScopeEntry, { origin }: Call): boolean {
  return locations.includes(origin);
}

/** An action, and the method that an override header asks for as well (threats.md §2). */
function coversAction({ actions }: ScopeEntry, { action, override = action }: Call): boolean {
  return actions.includes(action) && actions.includes(override);
}

/** Nobody sees the paths inside a tunnel that stays closed. */
function coversPath({ paths }: ScopeEntry, { action, segments }: Call): boolean {
  return paths === undefined || (action !== 'CONNECT' && paths.some((each) => matchesPath(each, segments)));
}

/** What nobody reads cannot be bound to content (formats.md §2, "What we cannot read is its own action"). */
function coversUnread(entry: ScopeEntry, { action }: Call): boolean {
  return !bindsContent(entry) || (action !== 'CONNECT' && action !== 'UPGRADE');
}

/** The length, declared or read; a chunked body that is not read is counted by its lease as it streams. */
function coversLength({ max_request_bytes = Infinity }: ScopeEntry, { framing }: Call): boolean {
  return framing.kind !== 'length' || framing.bytes <= max_request_bytes;
}

function refusalAt(step: number, call: Call): Refusal {
  const code = steps[step]?.otherwise ?? 'scope_location';
  return deny(code, `${call.method} ${call.origin}`);
}
