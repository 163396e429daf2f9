/** One permitted call on its way: bytes both ways under its lease, until one of the three parties ends it. */
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { DenialCode } from '../denial/table.ts';
import type { Clock, Ended, Passage } from '../gate/outside.ts';
import { addressText } from '../gate/record.ts';
import type { AgentExchange } from './exchange.ts';
import { failureOf, UpstreamFailure } from './failure.ts';
import type { Errand, Lane } from './lane.ts';
import { failureReply, permitMark } from './reply.ts';
import { earlyLinks, responseHead } from './response-head.ts';
import type { Scavenger } from './scavenger.ts';
import { Tally } from './tally.ts';
import { requestOf } from './upstream-request.ts';

/** What a relay needs beside its call. */
export interface RelayParts {
  readonly passage: Passage<AgentExchange>;
  readonly lane: Lane;
  readonly clock: Clock;
  /** From the request's end to the response's head, in milliseconds. */
  readonly headMs: number;
  /** Between two pieces of the response's body; 0 waits for ever. */
  readonly bodyIdleMs: number;
  /** Hears of every chunk that was read. */
  readonly scavenger: Scavenger;
  /** Takes the lane back once the upstream has answered whole. */
  release(lane: Lane): void;
}

type How =
  | { readonly ended: 'complete' | 'client-abort' }
  | { readonly ended: 'upstream-error'; readonly cause: Error }
  | { readonly ended: 'cut'; readonly by: DenialCode };

/** An upstream may send so many 1xx before its response. */
const MAX_INFORMATIONAL = 8;

/** Carries one call, once. */
export class Relay implements Errand {
  readonly #parts: RelayParts;
  readonly #began: number;
  readonly #up = new Tally();
  readonly #down = new Tally();
  readonly #body: Readable | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #settle: (ended: Ended) => void = () => undefined;
  #status: number | undefined;
  #informational = 0;
  #released = false;
  #over = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.#began = parts.clock.monotonic();
    this.#body = this.#openBody();
  }

  /** Sends the request and streams until the end, whatever it is. Never rejects. */
  run(): Promise<Ended> {
    const { passage, lane, headMs, bodyIdleMs } = this.#parts;
    return new Promise((resolve) => {
      this.#settle = resolve;
      passage.exchange.onGone(() => this.#end({ ended: 'client-abort' }));
      passage.lease.onEnd((by) => this.#end({ ended: 'cut', by }));
      if (passage.exchange.gone) this.#end({ ended: 'client-abort' });
      if (this.#over) return;
      lane.send({ ...requestOf(passage, this.#body), headersTimeout: headMs, bodyTimeout: bodyIdleMs }, this);
    });
  }

  permitted(): boolean {
    return !this.#over && this.#parts.passage.lease.alive && !this.#parts.passage.exchange.gone;
  }

  /** The last synchronous step before the first byte, also on a connection that was open already. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    const { body, lease } = this.#parts.passage;
    if (body && this.permitted()) lease.countRequest(body.length);
    if (!this.permitted()) controller.abort(new UpstreamFailure('connection_lost', 'no longer permitted'));
  }

  onBodySent(chunk: Uint8Array): void {
    this.#up.add(chunk);
    this.#parts.scavenger.count(chunk.length);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#over) return;
    if (status < 200) return this.#inform(controller, status);
    const { passage } = this.#parts;
    const head = responseHead(status, controller.rawHeaders, permitMark(passage.call.id, passage.permit));
    if (!head.ok) return this.#fail('response_malformed', head.fault);
    this.#status = status;
    try {
      passage.exchange.begin(status, head.headers);
      passage.exchange.onDrain(() => controller.resume());
    } catch (cause) {
      this.#fail('response_malformed', 'node:http refuses its head', { cause });
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const { lease, exchange } = this.#parts.passage;
    lease.countResponse(chunk.length);
    if (!this.permitted()) return; // over the limit: not one byte of it is passed on
    this.#down.add(chunk);
    this.#parts.scavenger.count(chunk.length);
    if (!exchange.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    const { lane, passage, release } = this.#parts;
    this.#released = true;
    release(lane);
    passage.exchange.onFlushed(() => this.#end({ ended: 'complete' }));
    passage.exchange.end();
  }

  onResponseError(_controller: unknown, cause: Error): void {
    this.#end({ ended: 'upstream-error', cause });
  }

  #openBody(): Readable | undefined {
    const { body, call, exchange, lease } = this.#parts.passage;
    if (body || call.framing.kind === 'none') return undefined;
    if (call.framing.kind === 'length' && call.framing.bytes === 0) return undefined;
    const stream = exchange.openBody({
      admit: (bytes) => {
        lease.countRequest(bytes);
        return this.permitted();
      },
      trailers: () => this.#end({ ended: 'cut', by: 'trailers_unsupported' }),
    });
    return stream.on('error', () => undefined); // undici hears it too, and tells onResponseError
  }

  #inform(controller: Dispatcher.DispatchController, status: number): void {
    this.#informational += 1;
    if (status < 100) this.#fail('response_malformed', 'no such status');
    else if (status === 101) this.#fail('response_malformed', 'a 101 nobody asked for');
    else if (this.#informational > MAX_INFORMATIONAL) this.#fail('response_malformed', 'a flood of 1xx');
    else if (status === 103) this.#hint(controller);
  }

  #hint(controller: Dispatcher.DispatchController): void {
    const links = earlyLinks(controller.rawHeaders);
    try {
      if (links.length > 0) this.#parts.passage.exchange.hint(links);
    } catch {
      // node:http found a link malformed; a hint may be left out
    }
  }

  #fail(failure: UpstreamFailure['failure'], detail: string, options?: ErrorOptions): void {
    this.#end({ ended: 'upstream-error', cause: new UpstreamFailure(failure, detail, options) });
  }

  /** The first end stands. Whatever it is, no byte passes after it. */
  #end(how: How): void {
    if (this.#over) return;
    this.#over = true;
    const { exchange } = this.#parts.passage;
    const answered = exchange.begun;
    if (how.ended !== 'complete') this.#stopUpstream();
    if (how.ended === 'upstream-error' && !answered) this.#answerFailure(how.cause);
    else if ((how.ended === 'upstream-error' || how.ended === 'cut') && answered) exchange.cut();
    this.#settle(this.#outcome(how, answered || how.ended === 'upstream-error'));
  }

  #stopUpstream(): void {
    this.#body?.destroy();
    if (this.#released) return;
    this.#controller?.abort(new UpstreamFailure('connection_lost', 'ended by us'));
    this.#parts.lane.destroy();
  }

  #answerFailure(cause: Error): void {
    const { call, exchange, permit } = this.#parts.passage;
    exchange.answer(failureReply(failureOf(cause), { id: call.id, permit }));
  }

  #outcome(how: How, answered: boolean): Ended {
    const { clock, lane } = this.#parts;
    const dialled = lane.dialled;
    return {
      ...(dialled ? { dialled: addressText(dialled) } : {}),
      ...(this.#status === undefined ? {} : { status: this.#status }),
      request: this.#up.close(),
      response: this.#down.close(),
      duration_ms: Math.round(clock.monotonic() - this.#began),
      ended: how.ended,
      ...(how.ended === 'cut' ? { by: how.by } : {}),
      answered,
    };
  }
}
