/** Asks the system's resolver, with a deadline and few at a time, so that slow names cannot take Node's thread pool. */
import { lookup as systemLookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { deny, pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Clock } from '../../gate/outside.ts';

/** All addresses of a name, as text. Never rejects: `name_unresolved`, `name_timeout`. */
export type Lookup = (name: string) => Promise<Outcome<readonly string[]>>;

/** How names are asked for. */
export interface LookupSettings {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Of the four threads of Node's pool; files and random numbers need the others. */
  readonly concurrent?: number;
  /** The question itself; the system's `getaddrinfo` unless a test asks otherwise. */
  readonly ask?: (name: string) => Promise<readonly string[]>;
}

/** The addresses of this machine's interfaces. */
export function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

/**
 * A lookup under those settings. A name is asked for once at a time, and calls that come meanwhile share the next
 * question: else one slow name, of whichever agent, would take all places. One that outlives its deadline keeps its own.
 */
export function boundedLookup({ clock, timeoutMs, concurrent = 2, ask = askSystem }: LookupSettings): Lookup {
  const queue = new Map<string, Question>();
  const asking = new Set<string>();

  const next = (): void => {
    if (asking.size >= concurrent) return;
    for (const name of queue.keys()) if (!asking.has(name)) return void put(name);
  };
  const put = async (name: string): Promise<void> => {
    const callers = queue.get(name) ?? new Set();
    queue.delete(name);
    asking.add(name);
    const answer = await answerTo(() => ask(name));
    for (const tell of callers) tell(answer);
    asking.delete(name);
    next();
  };

  return (name) =>
    new Promise((resolve) => {
      const callers = queue.get(name) ?? new Set();
      const tell = (answer: Outcome<readonly string[]>): void => {
        late();
        callers.delete(tell);
        if (callers.size === 0 && queue.get(name) === callers) queue.delete(name); // nobody waits for it any more
        resolve(answer);
      };
      const late = clock.after(timeoutMs, () => tell(deny('name_timeout', name)));
      queue.set(name, callers.add(tell));
      next();
    });
}

/** Those that wait for one question to be put and answered. */
type Question = Set<(answer: Outcome<readonly string[]>) => void>;

async function answerTo(ask: () => Promise<readonly string[]>): Promise<Outcome<readonly string[]>> {
  try {
    return pass(await ask());
  } catch (cause) {
    return deny('name_unresolved', cause instanceof Error ? cause.message : String(cause));
  }
}

async function askSystem(name: string): Promise<readonly string[]> {
  const answers = await systemLookup(name, { all: true, order: 'verbatim' });
  return answers.map(({ address }) => address);
}
