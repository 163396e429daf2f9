/** How long a call waits for its agent: to send the next bytes of its body, and to take what is there for it. */
import type { Call } from '../../call/call.ts';
import { isStreamType, readMediaType } from '../../call/media-type.ts';
import type { Clock } from '../../gate/outside.ts';
import { MinimumRate } from './minimum-rate.ts';
import type { MinimumRateSettings } from './minimum-rate.ts';

/** What it takes. */
export interface AgentTimeoutsParts {
  readonly clock: Clock;
  /** Without a byte, in milliseconds; 0 waits for ever. */
  readonly ms: number;
  /** Of a body that is no stream which may be quiet by nature. */
  readonly minimumRate: MinimumRateSettings;
  /** It is over: nothing was sent or taken for so long, or too little of a body. */
  onEnd(by: 'agent_idle' | 'content_timeout'): void;
  /** A timer of its own met this, and nobody else hears of it. */
  onFault(cause: unknown): void;
}

/** Bytes of a body whose length was declared; else whether it says to be a `stream`, which may be quiet by nature. */
export type ExpectedBody = number | 'unknown' | 'stream';

/** Between two looks at a body: one that is late, or whose upstream takes nothing, is looked at so often. */
const LOOK_MS = 250;

/** How long one call waits. */
export class AgentTimeouts {
  readonly #parts: AgentTimeoutsParts;
  readonly #idleMs: number;
  #sentAt = 0;
  #minimumRate: MinimumRate | undefined;
  #missing = 0;
  #stopBody: (() => void) | undefined;
  #stopTaking: (() => void) | undefined;

  constructor(parts: AgentTimeoutsParts) {
    this.#parts = parts;
    this.#idleMs = parts.ms || Infinity;
  }

  /** The agent is expected to send this body. One of unknown length may begin as late as any may fall silent. */
  awaitBody(body: ExpectedBody): void {
    const { minimumRate } = this.#parts;
    const graceMs = body === 'unknown' ? this.#idleMs : minimumRate.graceMs;
    this.sent();
    this.#missing = typeof body === 'number' ? body : Infinity;
    if (body !== 'stream' && minimumRate.bytesPerSecond > 0)
      this.#minimumRate = new MinimumRate({ ...minimumRate, graceMs }, Math.max(this.#idleMs, graceMs));
    this.#watchBody(Math.min(this.#idleMs, this.#minimumRate ? graceMs : Infinity));
  }

  /** There is room for more of the body. */
  awaitMore(): void {
    this.#minimumRate?.wait(this.#parts.clock.monotonic());
  }

  /** So much of the body came. */
  came(bytes: number): void {
    this.#missing -= bytes;
    if (this.#missing > 0) this.#minimumRate?.take(bytes, this.#parts.clock.monotonic());
    else this.whole();
  }

  /** No more of the body is the agent's to send. */
  whole(): void {
    this.#minimumRate = undefined;
  }

  /** A part of the body was passed on. */
  sent(): void {
    this.#sentAt = this.#parts.clock.monotonic();
  }

  /** The body went on whole, or is answered: whatever else the agent says, nobody waits for it. */
  bodyOver(): void {
    this.#stopBody?.();
    this.#stopBody = undefined;
  }

  /** There is more for the agent than it takes. */
  awaitTaking(): void {
    const { clock, ms, onEnd } = this.#parts;
    if (ms > 0) this.#stopTaking ??= clock.after(ms, () => onEnd('agent_idle'));
  }

  /** It has taken everything so far. */
  taken(): void {
    this.#stopTaking?.();
    this.#stopTaking = undefined;
  }

  /** The call is over. */
  stop(): void {
    this.bodyOver();
    this.taken();
  }

  #watchBody(left: number, isLate = false): void {
    const { clock, onFault } = this.#parts;
    if (left === Infinity) return;
    this.#stopBody = clock.after(Math.max(left, LOOK_MS), () => {
      try {
        this.#look(isLate);
      } catch (cause) {
        onFault(cause);
      }
    });
  }

  /** One timer, set anew when it finds that something came. */
  #look(isLate: boolean): void {
    const { clock, onEnd } = this.#parts;
    const now = clock.monotonic();
    const idle = this.#sentAt + this.#idleMs - now;
    const slow = this.#minimumRate?.left(now) ?? Infinity;
    if (idle <= 0) onEnd('agent_idle');
    else if (slow > 0 || !isLate) this.#watchBody(Math.min(idle, slow), slow <= 0);
    else onEnd('content_timeout'); // it was late before: what came while this process stood still was read meanwhile
  }
}

/** What the head of a call says of its body. */
export function expectedBody(call: Pick<Call, 'framing' | 'headers'>): ExpectedBody {
  if (call.framing.kind === 'length') return call.framing.bytes;
  return isStreamType(readMediaType(call.headers)?.type ?? '') ? 'stream' : 'unknown';
}
