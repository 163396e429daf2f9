/** Asks the system's resolver, with a deadline and few at a time, so that slow names cannot take Node's thread pool. */
import { lookup as systemLookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Clock } from '../gate/outside.ts';

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

/** A lookup under those settings. A question that outlives its deadline keeps its place until it ends. */
export function boundedLookup({ clock, timeoutMs, concurrent = 2, ask = askSystem }: LookupSettings): Lookup {
  let asking = 0;
  const waiting: (() => void)[] = [];

  const enter = async (): Promise<void> => {
    if (asking >= concurrent) await new Promise<void>((resolve) => waiting.push(resolve));
    else asking++;
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else asking--;
  };

  return (name) =>
    new Promise((resolve) => {
      let late = false;
      const cancel = clock.after(timeoutMs, () => {
        late = true;
        resolve(deny('name_timeout', name));
      });
      const settle = async (): Promise<void> => {
        await enter();
        try {
          if (!late) resolve(pass(await ask(name)));
        } catch (cause) {
          resolve(deny('name_unresolved', cause instanceof Error ? cause.message : name));
        } finally {
          cancel();
          leave();
        }
      };
      void settle();
    });
}

async function askSystem(name: string): Promise<readonly string[]> {
  const answers = await systemLookup(name, { all: true, order: 'verbatim' });
  return answers.map(({ address }) => address);
}
