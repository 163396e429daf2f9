/** Asks the system's resolver, with a deadline and few at a time, so that slow names cannot take Node's thread pool. */
import { lookup as systemLookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { deny, pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Clock } from '../../gate/outside.ts';

/** All addresses of a name, as text, for an agent. Never rejects: `name_unresolved`, `name_timeout`. */
export type Lookup = (name: string, agent: string) => Promise<Outcome<readonly string[]>>;

/** How names are asked for. */
export interface LookupSettings {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Of the eight threads that bin.js gives Node's pool: libuv lends names no more than half of them. */
  readonly concurrent?: number;
  /** Of these, for one agent, and the last of all only as its first: others must find a place, whatever its names do. */
  readonly perAgent?: number;
  /** The question itself; the system's `getaddrinfo` unless a test asks otherwise. */
  readonly ask?: (name: string) => Promise<readonly string[]>;
}

/** The addresses of this machine's interfaces. */
export function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

/**
 * A lookup under those settings. A name is asked for once at a time, and calls that come meanwhile share the next
 * question, which counts against one of their agents. One that outlives its deadline keeps its place until it is answered:
 * nobody can take it back from the system.
 */
export function boundedLookup(settings: LookupSettings): Lookup {
  const { clock, timeoutMs, concurrent = 4, perAgent = 2, ask = askSystem } = settings;
  const queue = new Map<string, Question>();
  /** Names that are asked for, and the agents that they count against. */
  const asking = new Map<string, string>();

  const mayAsk = (agent: string): boolean => {
    const own = [...asking.values()].filter((other) => other === agent).length;
    return own === 0 || (own < perAgent && asking.size < concurrent - 1); // the last is for who has none
  };
  const next = (): void => {
    for (const [name, callers] of queue) {
      if (asking.size >= concurrent) return;
      const agent = asking.has(name) ? undefined : [...callers.values()].find(mayAsk);
      if (agent !== undefined) void put(name, agent, callers);
    }
  };
  const put = async (name: string, agent: string, callers: Question): Promise<void> => {
    queue.delete(name);
    asking.set(name, agent);
    const answer = await answerTo(() => ask(name));
    for (const tell of callers.keys()) tell(answer);
    asking.delete(name);
    next();
  };

  return (name, agent) =>
    new Promise((resolve) => {
      const callers: Question = queue.get(name) ?? new Map();
      queue.set(name, callers);
      const late = clock.after(timeoutMs, () => tell(deny('name_timeout', name)));
      const tell = (answer: Outcome<readonly string[]>): void => {
        late();
        callers.delete(tell);
        if (callers.size === 0 && queue.get(name) === callers) queue.delete(name); // nobody waits for it any more
        resolve(answer);
      };
      callers.set(tell, agent);
      next();
    });
}

/** Those that wait for one question to be put and answered, and whose calls they are. */
type Question = Map<(answer: Outcome<readonly string[]>) => void, string>;

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
