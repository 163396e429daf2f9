/** An agent whose connections ended in a flood waits for its next tunnel, each time longer: a new one costs us more than it. */
import { LRUCache } from 'lru-cache';
import type { Credential } from '../../call/call.ts';
import { sha256Hex } from '../../crypto/node.ts';
import type { Clock } from '../../gate/outside.ts';
import { readCredential } from '../../grant/credential.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;
/** Without a further flood for so long after its wait, an agent begins anew. */
const FORGIVEN_MS = 60_000;
const AGENTS = 1000;

interface Wait {
  readonly times: number;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Who waits. An agent is known by the grant of its CONNECT (attacker-controlled), however its header spells it. */
export class FloodPenalty {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #waits = new LRUCache<string, Wait>({ max: AGENTS });

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** A connection of this agent has ended in a flood. */
  strike(credential: Credential | undefined): void {
    const now = this.#now();
    if (now === undefined) return; // nor can a call of its be decided: it is the connection's end that counts
    const agent = agentOf(credential);
    const before = this.#waits.get(agent);
    const times = before && now < before.until + FORGIVEN_MS ? before.times + 1 : 1;
    this.#waits.set(agent, { times, until: now + Math.min(LONGEST_MS, FIRST_MS * 2 ** (times - 1)) });
  }

  /** Milliseconds until a tunnel of this agent may open. Throws where the clock does, unless nobody waits. */
  wait(credential: Credential | undefined): number {
    if (this.#waits.size === 0) return 0;
    const until = this.#waits.get(agentOf(credential))?.until ?? 0;
    return Math.max(0, until - this.#clock.monotonic());
  }

  #now(): number | undefined {
    try {
      return this.#clock.monotonic();
    } catch {
      return undefined;
    }
  }
}

function agentOf(credential: Credential | undefined): string {
  if (!credential) return '';
  const token = readCredential(credential);
  return sha256Hex(token.ok ? token.value : credential.text);
}
