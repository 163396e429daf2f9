/** How long a call waits for its agent: to send the next byte of its body, and to take what is there for it. */
import type { Clock } from '../gate/outside.ts';

/** What it takes. */
export interface AgentPatienceParts {
  readonly clock: Clock;
  /** In milliseconds; 0 waits for ever. */
  readonly ms: number;
  /** It is over. */
  onEnd(): void;
}

/** One call's patience with its agent. */
export class AgentPatience {
  readonly #parts: AgentPatienceParts;
  #sentAt = 0;
  #stopBody: (() => void) | undefined;
  #stopTaking: (() => void) | undefined;

  constructor(parts: AgentPatienceParts) {
    this.#parts = parts;
  }

  /** The agent is expected to send a body. */
  awaitBody(): void {
    this.sent();
    if (this.#parts.ms > 0) this.#watchBody(this.#parts.ms);
  }

  /** A part of the body came. */
  sent(): void {
    this.#sentAt = this.#parts.clock.monotonic();
  }

  /** The body is whole, or answered: whatever else it says, nobody waits for it. */
  bodyOver(): void {
    this.#stopBody?.();
    this.#stopBody = undefined;
  }

  /** There is more for the agent than it takes. */
  awaitTaking(): void {
    const { clock, ms, onEnd } = this.#parts;
    if (ms > 0) this.#stopTaking ??= clock.after(ms, onEnd);
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

  /** One timer, set anew when it finds that something came. */
  #watchBody(left: number): void {
    const { clock, ms, onEnd } = this.#parts;
    this.#stopBody = clock.after(left, () => {
      const still = this.#sentAt + ms - clock.monotonic();
      if (still > 0) this.#watchBody(still);
      else onEnd();
    });
  }
}
