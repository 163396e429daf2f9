/** `writ policy eval --body`: a body, as the sidecar would show it to this policy or refuse it before it asks. */
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Header } from '../../call/call.ts';
import { contentMembers, readContent } from '../../call/content.ts';
import { fileFault } from '../../config/file-fault.ts';
import { pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import { unable, usageFailure } from '../exit.ts';

/** A body, and what its `Content-Type` says. */
export interface GivenBody {
  readonly bytes: Uint8Array;
  readonly type: string;
}

/** What `limits.max_bound_body_bytes` is unless it is set. */
const MAX_BODY = 1024 * 1024;

/** The bytes of a file, or of standard input where it is `-`. */
export async function readBody(file: string, type: string): Promise<GivenBody> {
  try {
    return { bytes: file === '-' ? await buffer(process.stdin) : await readFile(file), type };
  } catch (cause) {
    throw unable(`cannot read ${file}: ${fileFault(cause)}`);
  }
}

/**
 * What the policy is asked about a call with this body: the input with its content, once for each message of a batch.
 * `reads`: what the policy's rules look at (`content` of its needs).
 */
export function withBody(
  input: unknown,
  { bytes, type }: GivenBody,
  reads: readonly string[],
): Outcome<readonly unknown[]> {
  const { call } = isInput(input) ? input : {};
  if (!isCall(call))
    throw usageFailure('--body needs an input with call.method, call.segments and call.headers');
  const members = contentMembers.filter((member) => reads.includes(member));
  const headers = { 'content-type': [type], ...call.headers };
  const pairs = Object.entries(headers).flatMap(([name, values]) =>
    values.map((value): Header => [name, value]),
  );
  const action = call.action ?? call.method;
  const framing = { kind: 'length', bytes: bytes.length } as const;
  const bodied = { method: call.method, segments: call.segments, headers: pairs, action, framing };
  const contents = readContent(bodied, bytes, { members, limit: MAX_BODY });
  if (!contents.ok) return contents;
  return pass(contents.value.map((content) => ({ ...Object(input), call: { ...call, headers, content } })));
}

/** The sample as a call that has a body. */
export function asPost(input: unknown): unknown {
  return isInput(input) ? { ...input, call: { ...Object(input.call), method: 'POST' } } : input;
}

interface CallMember {
  readonly method: string;
  readonly action?: string;
  readonly segments: readonly string[];
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

function isInput(value: unknown): value is { readonly call?: unknown } {
  return typeof value === 'object' && value !== null;
}

function isCall(value: unknown): value is CallMember {
  if (typeof value !== 'object' || value === null) return false;
  const { method, segments, headers } = value as Partial<Record<keyof CallMember, unknown>>; // looked at below
  return typeof method === 'string' && isTexts(segments) && isHeaders(headers);
}

function isHeaders(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every(isTexts);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
