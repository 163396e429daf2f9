/** What the sidecar itself says to an agent: denials (formats.md §4) and failed upstreams. */
import type { Denial } from '../gate/denial.ts';
import { failures } from './upstream/failure.ts';
import type { FailureName } from './upstream/failure.ts';

/** A whole answer of ours. */
export interface Reply {
  readonly status: number;
  /** Name, value, name, value …; without framing. */
  readonly headers: readonly string[];
  readonly body: string;
  /** The connection closes after it. */
  readonly close: boolean;
}

const PROBLEM = ['content-type', 'application/problem+json', 'cache-control', 'no-store'] as const;

/** Tells permits from denials, and which entry of the log stands for them. */
export function permitMark(id: string, permit: number): string {
  return `permit; id="${id}"; entry=${permit}`;
}

/** The reply of a denial. A 407 asks for proxy credentials as well (RFC 9110 §15.5.8). */
export function denialReply({ id, code, status, body, close }: Denial): Reply {
  const headers = [
    ...PROBLEM,
    'proxy-status',
    `writ; error=http_request_denied; details="${code}"`,
    'writ-decision',
    `deny; id="${id}"; code=${code}`,
    ...(status === 407 ? ['proxy-authenticate', 'Basic realm="writ"'] : []),
  ];
  return { status, headers, body, close };
}

/** The reply for a permitted call whose upstream failed before it answered. */
export function failureReply(failure: FailureName, { id, permit }: { id: string; permit: number }): Reply {
  const { status, error, title } = failures[failure];
  const problem = { type: `urn:writ:upstream:${failure}`, title, status, instance: `urn:uuid:${id}` };
  const headers = [
    ...PROBLEM,
    'proxy-status',
    `writ; error=${error}`,
    'writ-decision',
    permitMark(id, permit),
  ];
  return { status, headers, body: JSON.stringify(problem), close: false };
}
