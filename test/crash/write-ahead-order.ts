/** The promise of write-ahead, judged by a trace: nothing leaves before the sync that covers its decision has returned. */
import { readBatch, readStatement } from './checker.ts';
import type { CheckedEntry } from './checker.ts';
import type { SystemCall } from './trace.ts';

/** Ports by which sockets are told apart. */
export interface Ports {
  readonly origin: number;
  /** The sidecar's own. */
  readonly forward: number;
}

/** What a trace showed. */
export interface Order {
  /** Each violation as a sentence. */
  readonly violations: readonly string[];
  /** How many requests went upstream, and how many 403 to agents: what was looked at. */
  readonly forwarded: number;
  readonly refused: number;
  readonly dialled: number;
  readonly syncs: number;
}

/** A decision, and the line from which on it is durable. */
interface Durable {
  readonly entry: CheckedEntry;
  readonly from: number;
}

/** Judges a trace. */
export function judgeOrder(calls: readonly SystemCall[], ports: Ports): Order {
  const durable = durableDecisions(calls);
  const byPath = new Map(
    durable.flatMap((one) => (one.entry.is.verdict === 'permit' ? [[one.entry.is.call?.path, one]] : [])),
  );
  const byId = new Map(durable.map((one) => [one.entry.id, one]));
  const forwarded = sent(
    calls,
    new RegExp(`->127\\.0\\.0\\.1:${ports.origin}\\]`),
    /^[A-Z]+ (\/\S*) HTTP\/1\.1\r\n/,
  );
  const refused = sent(
    calls,
    new RegExp(`\\[127\\.0\\.0\\.1:${ports.forward}->`),
    /^HTTP\/1\.1 403 .*?\r\nwrit-decision: deny; id="([^"]+)"/is,
  );
  const dialled = calls.filter(
    ({ name, rest }) => name === 'connect' && rest.includes(`htons(${ports.origin})`),
  );
  return {
    violations: [
      ...forwarded.flatMap((one) => tooEarly('a request', one, byPath.get(one.key))),
      ...refused.flatMap((one) => tooEarly('a 403', one, byId.get(one.key))),
      ...dialledTooEarly(dialled, durable),
    ],
    forwarded: forwarded.length,
    refused: refused.length,
    dialled: dialled.length,
    syncs: calls.filter(isSync).length,
  };
}

/** One message on a socket: what tells which decision it follows, and the line where its first byte was handed over. */
interface Sent {
  readonly key: string;
  readonly at: number;
}

/** Messages on the sockets that `on` matches; a caller compares their number with what the other side received. */
function sent(calls: readonly SystemCall[], on: RegExp, begins: RegExp): readonly Sent[] {
  return calls.flatMap((call) => {
    const key = on.test(call.on) ? begins.exec(call.bytes.toString('latin1'))?.[1] : undefined;
    return key === undefined ? [] : [{ key, at: call.entered }];
  });
}

function tooEarly(what: string, { key, at }: Sent, decision: Durable | undefined): readonly string[] {
  if (!decision) return [`${what} for ${key} left at line ${at}; its decision was never durable`];
  if (decision.from < at) return [];
  return [`${what} for ${key} left at line ${at}; its decision was durable from line ${decision.from} on`];
}

/** No connection is opened on speculation: the n-th needs n durable permits. */
function dialledTooEarly(dialled: readonly SystemCall[], durable: readonly Durable[]): readonly string[] {
  const permits = durable.filter(({ entry }) => entry.is.verdict === 'permit').map(({ from }) => from);
  return dialled.flatMap(({ entered }, i) => {
    const covered = permits.filter((from) => from < entered).length;
    return covered > i
      ? []
      : [`connection ${i + 1} was opened at line ${entered} with ${covered} durable permits`];
  });
}

/** Every decision in a batch that was written whole to a segment, and then covered by a sync begun after that. */
function durableDecisions(calls: readonly SystemCall[]): readonly Durable[] {
  const files = new Map<
    string,
    { text: Buffer; readonly waiting: { entry: CheckedEntry; written: number }[] }
  >();
  const durable: Durable[] = [];
  for (const call of inOrderOfReturn(calls)) {
    if (!/\/segments\/\d{16}\.log>$/.test(call.on) || call.result < 0) continue;
    const file = files.get(call.on) ?? { text: Buffer.alloc(0), waiting: [] };
    files.set(call.on, file);
    if (!isSync(call)) {
      file.text = Buffer.concat([file.text, call.bytes.subarray(0, call.result)]);
      for (let batch = readBatch(file.text); batch; batch = readBatch(file.text)) {
        for (const entry of batch.entries)
          file.waiting.push({ entry: readStatement(entry), written: call.returned });
        file.text = file.text.subarray(batch.length);
      }
      continue;
    }
    const covered = file.waiting.filter(({ written }) => written < call.entered);
    for (const { entry } of covered)
      if (entry.type === 'decision') durable.push({ entry, from: call.returned });
    file.waiting.splice(0, Infinity, ...file.waiting.filter(({ written }) => written >= call.entered));
  }
  return durable;
}

function inOrderOfReturn(calls: readonly SystemCall[]): readonly SystemCall[] {
  return [...calls].sort((a, b) => a.returned - b.returned);
}

function isSync({ name }: SystemCall): boolean {
  return name === 'fdatasync' || name === 'fsync';
}
