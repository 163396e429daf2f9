/**
 * The policy's input document (docs/policy.md, rego/writ/input.schema.json): everything a rule may look at, and nothing
 * secret. Its exact text goes on record by digest (formats.md §3, `replay.input`) and is what the engine is handed.
 */
import type { Call } from '../call/call.ts';
import type { Content } from '../call/content.ts';
import { multimap } from '../call/multimap.ts';
import type { Multimap } from '../call/multimap.ts';
import { withoutSecrets } from '../call/secret-headers.ts';
import type { Coverage } from '../grant/grant.ts';

/** What one input document is made of. */
export interface InputParts {
  readonly call: Call;
  readonly coverage: Coverage;
  /** Whether the network leaves no way round the sidecar. */
  readonly mode: 'jailed' | 'cooperative';
  /** Milliseconds since 1970: the only time a policy sees. */
  readonly wallMs: number;
  /** The body as `readContent` gives it, for the members that the policy reads. */
  readonly content: Content;
}

/** The input document as JSON text. The same parts always give the same text. */
export function inputText({ call, coverage, mode, wallMs, content }: InputParts): string {
  return JSON.stringify({
    call: callMember(call, mode, content),
    grant: grantMember(coverage),
    trust: { state: 'trusted' },
    time: timeMember(wallMs),
  });
}

function callMember(call: Call, mode: InputParts['mode'], content: Content): object {
  return {
    method: call.method,
    action: call.action,
    ...(call.upgrade === undefined ? {} : { upgrade: call.upgrade }),
    scheme: call.scheme,
    host: call.host,
    port: call.port,
    origin: call.origin,
    path: call.path,
    segments: call.segments,
    query: queryMember(call.query),
    headers: multimap(withoutSecrets(call.headers)),
    content,
    carrier: call.carrier,
    mode,
  };
}

/**
 * Parameters as the URL Standard's form parser reads them (§5.1), which reads every query in exactly one way: `+` is a
 * space, a broken escape stands for itself, bytes that are not UTF-8 become U+FFFD, `;` separates nothing.
 */
function queryMember(query: string | null): Multimap {
  if (query === null) return multimap([]);
  return multimap(new URLSearchParams(`?${query}`)); // the parser drops one leading `?`, which may be a name's own
}

function grantMember({ grant, index }: Coverage): object {
  const { iss, sub, jti, aud, exp, iat, intent, claims } = grant.root;
  return { iss, sub, jti, aud, exp, iat, intent, claims, entry: index, chain_length: 1 };
}

function timeMember(wallMs: number): object {
  const now = new Date(wallMs);
  return {
    now: now.toISOString(),
    unix_ms: wallMs,
    weekday: now.getUTCDay(),
    hour: now.getUTCHours(),
  };
}
