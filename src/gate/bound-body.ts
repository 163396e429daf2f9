/** A body that its grant binds, or that its policy looks at, is read to its end before its first byte leaves. */
import type { Call } from '../call/call.ts';
import { hasBody, readJsonBody, tooLarge } from '../call/content.ts';
import { readMcp } from '../call/mcp.ts';
import type { McpMessage } from '../call/mcp.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import { agentOf } from '../grant/grant.ts';
import type { Coverage } from '../grant/grant.ts';
import { coverContent } from '../grant/scope.ts';
import type { Findings } from './findings.ts';
import { Holder } from './held-body.ts';
import type { HeldBody, HoldLimits, Shelf } from './held-body.ts';
import type { HeldLease, Lease } from './lease.ts';
import type { Clock, Exchange } from './outside.ts';

/** What covers the call, and the body where it had to be read to know. */
export interface BoundBody {
  readonly coverage: Coverage;
  readonly body?: HeldBody;
}

/** Whose body is read, what for, and for how long at most. */
export interface Reading {
  readonly call: Call;
  readonly coverage: Coverage;
  readonly exchange: Exchange;
  readonly lease: HeldLease;
  readonly shelf: Shelf;
  readonly clock: Clock;
  /** Rules of the active policy look at bodies. */
  readonly forPolicy: boolean;
}

/**
 * Reads the body where the covering entry binds it or the policy looks at it; its digests go into `found`, for the
 * record. What must be parsed has to fit into memory. An agent that does not come to its end holds the call until its
 * deadline, no longer than its lease, and only while nobody else needs the memory. So does one that is whole, until its
 * upstream has it.
 */
export async function readBoundBody(found: Findings, reading: Reading): Promise<Outcome<BoundBody>> {
  const { call, coverage, shelf } = reading;
  if (!coverage.needsBody && !(reading.forPolicy && hasBody(call))) return pass({ coverage });
  const limits = limitsOf(found, reading);
  if (call.framing.kind === 'length' && call.framing.bytes > Math.max(limits.memory, limits.spooled))
    return limits.over;
  const holder = new Holder(agentOf(coverage.grant), limits, shelf);
  try {
    return await readInto(holder, found, reading);
  } catch (cause) {
    holder.release();
    throw cause;
  }
}

async function readInto(holder: Holder, found: Findings, reading: Reading): Promise<Outcome<BoundBody>> {
  const { call, coverage } = reading;
  const read = await readInTime(holder, reading, found.rules.boundMs);
  if (!read.ok) {
    holder.release();
    return read;
  }
  const body = holder.finish();
  void holder.lost.then(({ code }) => reading.lease.end(code)); // its call cannot go on, wherever it is by then
  found.body = body;
  if (!coverage.needsBody) return pass({ coverage, body });
  const { sha256, length } = body;
  const covered = coverContent(coverage.grant, call, {
    sha256,
    length,
    messages: messagesOf(found, call, body),
  });
  return covered.ok ? pass({ coverage: covered.value, body }) : covered;
}

/** The first to come: the body's end, its deadline, its lease's end, or another body that needs its memory. */
async function readInTime(
  holder: Holder,
  { exchange, lease, clock }: Reading,
  ms: number,
): Promise<Outcome<undefined>> {
  let cancel = (): void => undefined;
  const late = new Promise<Refusal>((resolve) => {
    cancel = clock.after(ms, () => resolve(deny('content_timeout', `not whole within ${ms} ms`)));
  });
  const whole = exchange.readBody((piece) => holder.keep(piece));
  const read = await Promise.race([whole, late, endOf(lease), holder.lost]);
  cancel();
  return read;
}

/** A body that nobody parses may lie on disk. */
function limitsOf({ rules }: Findings, { coverage, forPolicy }: Reading): HoldLimits {
  const memory = rules.boundBytes;
  if (forPolicy || coverage.entry.mcp_tools) return { memory, spooled: 0, over: tooLarge(memory) };
  const spooled = rules.spooledBytes;
  const most = Math.max(memory, spooled);
  return { memory, spooled, over: deny('scope_content', `the body is longer than ${most} bytes`) };
}

/** What the body asks of an MCP server; undefined where it is none that can be read. */
function messagesOf({ rules }: Findings, call: Call, { bytes }: HeldBody): readonly McpMessage[] | undefined {
  const json = bytes && readJsonBody(call, bytes, rules.boundBytes);
  const messages = json?.ok ? readMcp(json.value) : undefined;
  return messages?.ok ? messages.value : undefined;
}

function endOf(lease: Lease): Promise<Refusal> {
  return new Promise((resolve) => {
    lease.onEnd((code) => resolve(deny(code, 'ended while the body was read')));
  });
}
