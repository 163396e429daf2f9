/** One permitted call on its way: bytes both ways under its lease, until one of the three parties ends it. */
import { constants } from 'node:http2';
import type { Readable } from 'node:stream';
import type { Header } from '../call/call.ts';
import { usageReader } from '../call/llm-usage.ts';
import type { UsageReader } from '../call/llm-usage.ts';
import { cleanTrailers, readTrailers } from '../call/trailers.ts';
import { causeText } from '../config/cause-text.ts';
import type { Clock, Ended, Passage } from '../gate/outside.ts';
import { addressText } from '../gate/record.ts';
import { AgentTimeouts, expectedBody } from './agent/agent-timeouts.ts';
import type { AgentExchange } from './agent/exchange.ts';
import { elapsedSince } from './elapsed.ts';
import { grpcStatusOf, isGrpcCall } from './grpc.ts';
import type { MinimumRateSettings } from './agent/minimum-rate.ts';
import { failureReply, permitMark } from './reply.ts';
import { earlyLinks, responseHead } from './response-head.ts';
import type { FitHead } from './response-head.ts';
import type { Scavenger } from './scavenger.ts';
import { StreamDigest } from './stream-digest.ts';
import type { Transport } from './upstream/transport.ts';
import type { Switching, UpgradeHandler } from './websocket/upgrade.ts';
import { switchingHead } from './websocket/upgrade-reply.ts';
import { failureOf, failureText, resetOf, UpstreamFailure } from './upstream/failure.ts';
import { requestOf } from './upstream/request.ts';
import type { Flow, UpstreamTimeouts } from './upstream/request.ts';
import type { CallEnd, Way } from './websocket/websocket.ts';

/** What a relay needs beside its call. */
export interface RelayParts {
  readonly passage: Passage<AgentExchange>;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly timeouts: UpstreamTimeouts;
  /** For the whole call, in milliseconds; 0: as long as its lease. */
  readonly totalMs: number;
  /** For the agent to send or take the next byte, in milliseconds; 0: as long as its lease. */
  readonly agentMs: number;
  /** For the agent's body. */
  readonly minimumRate: MinimumRateSettings;
  /** Hears of every chunk that was read. */
  readonly scavenger: Scavenger;
}

/** An upstream may send so many 1xx before its response. */
const MAX_INFORMATIONAL = 8;

/** Carries one call, once. */
export class Relay implements UpgradeHandler {
  readonly #parts: RelayParts;
  #began = 0;
  readonly #up = new StreamDigest();
  readonly #down = new StreamDigest();
  #body: Readable | undefined;
  readonly #agent: AgentTimeouts;
  #flow: Flow | undefined;
  #settle: (ended: Ended | Promise<Ended>) => void = () => undefined;
  #stopTimer: () => void = () => undefined;
  #trailers: readonly Header[] = [];
  #status: number | undefined;
  #grpcStatus: number | undefined;
  #usage: UsageReader | undefined;
  #informational = 0;
  #released = false;
  #over = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.#agent = new AgentTimeouts({
      clock: parts.clock,
      ms: parts.agentMs,
      minimumRate: parts.minimumRate,
      onEnd: (by) => this.#stalled(by),
      onFault: (cause) => this.#break(cause),
    });
  }

  /** Sends the request and streams until the end, whatever it is. Never rejects. */
  run(): Promise<Ended> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#try(() => this.#send());
    });
  }

  permitted(): boolean {
    return !this.#over && this.#parts.passage.lease.alive && !this.#parts.passage.exchange.gone;
  }

  /** Also on a connection that was open already. */
  begin(flow: Flow): boolean {
    this.#flow = flow;
    const { body, lease } = this.#parts.passage;
    return (
      this.#try(() => {
        if (body && this.permitted()) lease.countRequest(body.length);
        return this.permitted();
      }) ?? false
    );
  }

  sent(chunk: Uint8Array): void {
    this.#up.add(chunk);
    this.#try(() => this.#agent.sent());
    this.#parts.scavenger.count(chunk.length);
  }

  head(status: number, raw: readonly string[], whole: boolean): void {
    this.#try(() => this.#answer(status, raw, whole));
  }

  data(chunk: Uint8Array): void {
    this.#try(() => this.#pass(chunk));
  }

  ended(trailers: readonly string[]): void {
    this.#try(() => this.#finish(trailers));
  }

  failed(cause: Error): void {
    this.#end({ ended: 'upstream-error', cause });
  }

  switched(raw: readonly string[]): Switching | undefined {
    return this.#try(() => this.#switch(raw));
  }

  admit(way: Way, bytes: Buffer): boolean {
    return this.#try(() => this.#admit(way, bytes)) ?? false;
  }

  over(how: CallEnd): void {
    this.#end(how);
  }

  #send(): void {
    const { passage, transport, clock, timeouts, totalMs } = this.#parts;
    this.#began = clock.monotonic();
    this.#body = this.#openBody();
    passage.exchange.onGone(() => this.#end({ ended: 'client-abort' }));
    passage.lease.onEnd((by) => this.#end({ ended: 'cut', by }));
    if (passage.exchange.gone) this.#end({ ended: 'client-abort' });
    if (this.#over) return;
    if (this.#body) this.#agent.awaitBody(expectedBody(passage.call));
    if (totalMs > 0) this.#stopTimer = clock.after(totalMs, () => this.#fail('total_timeout', ''));
    const body = { body: this.#body, trailers: () => this.#sendTrailers() };
    transport.send(requestOf(passage, { ...timeouts, ...body }), this);
  }

  #answer(status: number, raw: readonly string[], whole: boolean): void {
    if (this.#over) return;
    if (status < 100 || status > 599) return this.#fail('response_malformed', 'no such status'); // RFC 9110 §15
    if (status < 200) return this.#inform(status, raw);
    this.#agent.bodyOver(); // from here on it is up to the upstream how long it listens
    const { passage } = this.#parts;
    const head = responseHead(status, raw, permitMark(passage.call.id, passage.permit));
    if (!head.ok) return this.#fail('response_malformed', head.fault);
    this.#status = status;
    if (!this.#fits(head)) return this.#end({ ended: 'cut', by: 'lease_response_bytes' });
    this.#usage = usageReader(passage.call, status, head.headers);
    if (whole) this.#noteGrpc(head.headers); // where nothing follows, a head says what trailers would
    try {
      passage.exchange.begin(status, head.headers, { whole, announced: head.announced });
      passage.exchange.onDrain(() => this.#drained());
    } catch (cause) {
      this.#fail('response_malformed', 'its head cannot be written', { cause });
    }
  }

  #pass(chunk: Uint8Array): void {
    if (this.#over) return;
    const { lease, exchange } = this.#parts.passage;
    lease.countResponse(chunk.length);
    if (!this.permitted()) return; // over the limit: not one byte of it is passed on
    this.#down.add(chunk);
    this.#parts.scavenger.count(chunk.length);
    if (!exchange.write(chunk)) this.#hold();
    this.#usage?.add(chunk);
  }

  #finish(trailers: readonly string[]): void {
    if (this.#over) return;
    const { transport, passage } = this.#parts;
    this.#released = true;
    transport.release();
    this.#agent.awaitTaking();
    const passed = passage.exchange.end(cleanTrailers(trailers));
    this.#down.end(passed);
    if (passed.length > 0) this.#noteGrpc(passed.flat());
    passage.exchange.onFlushed(() => this.#end({ ended: 'complete' }));
  }

  #switch(raw: readonly string[]): Switching | undefined {
    const { call, exchange, permit } = this.#parts.passage;
    if (this.#over) return undefined;
    const head = switchingHead(call, raw, permitMark(call.id, permit));
    if (!head.ok) return void this.#fail('response_malformed', head.fault);
    const agent = exchange.takeOver();
    if (!agent) return void this.#end({ ended: 'client-abort' });
    this.#status = 101;
    return { ...head, agent };
  }

  #admit(way: Way, bytes: Buffer): boolean {
    const { lease } = this.#parts.passage;
    if (this.#over) return false;
    if (way === 'up') lease.countRequest(bytes.length);
    else lease.countResponse(bytes.length);
    if (!this.permitted()) return false; // over the limit: not one byte of it is passed on
    (way === 'up' ? this.#up : this.#down).add(bytes);
    this.#parts.scavenger.count(bytes.length);
    return true;
  }

  /** A fault of ours behind the permit ends its call, and no other. */
  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (cause) {
      this.#break(cause);
      return undefined;
    }
  }

  #break(cause: unknown): void {
    this.#end(brokenBy(cause));
  }

  /** Until the agent takes what was written for it. */
  #hold(): void {
    this.#flow?.pause();
    this.#agent.awaitTaking();
  }

  #drained(): void {
    if (!this.#released) this.#agent.taken(); // what comes after the last byte is its end
    this.#flow?.resume();
  }

  /** A body that waits to be sent is not the agent's fault. */
  #stalled(by: 'agent_idle' | 'content_timeout'): void {
    const isHeldUp = this.#body && (this.#body.isPaused() || this.#body.readableLength > 0);
    if (by === 'agent_idle' && isHeldUp && this.#status === undefined)
      this.#fail('head_timeout', 'takes no body');
    else this.#end({ ended: 'cut', by });
  }

  #openBody(): Readable | undefined {
    const { body, call, exchange } = this.#parts.passage;
    if (body || call.framing.kind === 'none') return undefined;
    if (call.framing.kind === 'length' && call.framing.bytes === 0) return undefined;
    const stream = exchange.openBody({
      await: () => this.#try(() => this.#agent.awaitMore()),
      admit: (bytes) => this.#try(() => this.#admitBody(bytes)) ?? false,
      trailers: (raw) => this.#try(() => this.#takeTrailers(raw)) ?? false,
    });
    stream.on('end', () => this.#agent.bodyOver());
    return stream.on('error', () => undefined); // the transport hears it too, and tells `failed`
  }

  #admitBody(bytes: number): boolean {
    this.#agent.came(bytes);
    this.#parts.passage.lease.countRequest(bytes);
    return this.permitted();
  }

  /** Trailers of a request pass only from HTTP/2 to HTTP/2. */
  #takeTrailers(raw: readonly string[]): boolean {
    this.#agent.whole();
    if (raw.length === 0) return true;
    const { transport, passage } = this.#parts;
    const trailers = readTrailers(raw);
    const fit = trailers.ok && passage.exchange.http2 && transport.carriesTrailers;
    if (fit) this.#trailers = trailers.value;
    else this.#end({ ended: 'cut', by: 'trailers_unsupported' });
    return fit;
  }

  #sendTrailers(): readonly Header[] {
    this.#up.end(this.#trailers);
    return this.#trailers;
  }

  #noteGrpc(fields: readonly string[]): void {
    if (isGrpcCall(this.#parts.passage.call)) this.#grpcStatus = grpcStatusOf(fields);
  }

  /** Whether a body of the length that the head declares may be passed on; nothing is told of one that may not. */
  #fits({ framing }: FitHead): boolean {
    const { lease, call } = this.#parts.passage;
    if (framing.kind !== 'length' || call.method === 'HEAD' || this.#status === 304) return true;
    return lease.admitsResponse(framing.bytes);
  }

  #inform(status: number, raw: readonly string[]): void {
    this.#informational += 1;
    if (status === 101) this.#fail('response_malformed', 'a 101 nobody asked for');
    else if (this.#informational > MAX_INFORMATIONAL) this.#fail('response_malformed', 'a flood of 1xx');
    else if (status === 103) this.#hint(raw);
  }

  #hint(raw: readonly string[]): void {
    const links = earlyLinks(raw);
    try {
      if (links.length > 0) this.#parts.passage.exchange.hint(links);
    } catch {
      // a link was found malformed; a hint may be left out
    }
  }

  #fail(failure: UpstreamFailure['failure'], detail: string, options?: ErrorOptions): void {
    this.#end({ ended: 'upstream-error', cause: new UpstreamFailure(failure, detail, options) });
  }

  /** The first end stands. Whatever it is, no byte passes after it. */
  #end(how: CallEnd): void {
    if (this.#over) return;
    this.#over = true;
    const ended = this.#close(how);
    this.#settle(this.#usage ? withUsage(ended, this.#usage) : ended);
  }

  /** Whatever goes wrong in here: both sides are closed, and what passed is told. */
  #close(how: CallEnd): Ended {
    try {
      this.#stopTimer();
      this.#agent.stop();
      if (how.ended !== 'complete') this.#stopUpstream(how.ended);
      return this.#outcome(how, this.#tell(how));
    } catch (cause) {
      this.#stopUpstream('upstream-error');
      this.#parts.passage.exchange.drop();
      return this.#outcome(brokenBy(cause), true);
    }
  }

  /** Tells the agent; false where there is a denial to tell it yet. */
  #tell(how: CallEnd): boolean {
    const { exchange } = this.#parts.passage;
    const answered = exchange.begun;
    if (how.ended === 'upstream-error' && !answered) this.#answerFailure(how.cause);
    else if (how.ended === 'upstream-error') exchange.cut(resetOf(how.cause));
    else if (how.ended === 'cut' && answered) exchange.cut(constants.NGHTTP2_CANCEL);
    return answered || how.ended === 'upstream-error';
  }

  #stopUpstream(why: Ended['ended']): void {
    this.#body?.destroy();
    if (!this.#released) this.#parts.transport.destroy(why);
  }

  #answerFailure(cause: Error): void {
    const { call, exchange, permit } = this.#parts.passage;
    exchange.answer(failureReply(failureOf(cause), { id: call.id, permit }));
  }

  #outcome(how: CallEnd, answered: boolean): Ended {
    const { clock, transport } = this.#parts;
    const dialled = transport.dialled;
    return {
      ...(dialled ? { dialled: addressText(dialled) } : {}),
      ...(this.#status === undefined ? {} : { status: this.#status }),
      ...(this.#grpcStatus === undefined ? {} : { grpc_status: this.#grpcStatus }),
      request: this.#up.close(),
      response: this.#down.close(),
      duration_ms: elapsedSince(clock, this.#began),
      ended: how.ended,
      ...(how.ended === 'cut' ? { by: how.by } : {}),
      ...(how.ended === 'cut' && how.why !== undefined ? { why: how.why } : {}),
      ...(how.ended === 'upstream-error' ? { why: failureText(how.cause) } : {}),
      answered,
    };
  }
}

/** What a model used is told beside the outcome, which does not go without it where it cannot be read. */
async function withUsage(ended: Ended, reader: UsageReader): Promise<Ended> {
  try {
    return { ...ended, usage: await reader.close() };
  } catch {
    return ended;
  }
}

function brokenBy(cause: unknown): CallEnd {
  return { ended: 'cut', by: 'internal_error', why: causeText(cause) };
}
