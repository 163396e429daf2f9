/** Rounds of agents that go away, side by side, and what is left of them. */
import { clients, sessions } from './clients.ts';
import type { Reachable } from './insides.ts';
import { open, reachable } from './stage.ts';
import type { Open, Stage } from './stage.ts';

/** What a sidecar has and holds. */
export type Held = Open & Reachable;

/** Every kind of client that `leave` knows. */
export const kinds: readonly string[] = [...Object.keys(clients), ...Object.keys(sessions)];

const SIDE_BY_SIDE = 25;
const STREAMS_EACH = 25;
/** A WebSocket's hanging up may take some seconds. */
const PATIENCE_MS = 20_000;
const OPEN = ['descriptors', 'sockets', 'upstream'] as const;
const REACHABLE = ['emitters', 'timers'] as const;

/** Lets so many clients of a kind begin a call and leave it. */
export async function leave(on: Stage, kind: string, count: number): Promise<void> {
  const client = clients[kind];
  if (!client) {
    for (let i = 0; i < count; i += STREAMS_EACH) await sessions[kind]?.(on, STREAMS_EACH);
    return;
  }
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await client(on, next++);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
}

/** What there is once no connection is open any more, or when patience is over. */
export async function calm(on: Stage): Promise<Held> {
  const until = Date.now() + PATIENCE_MS;
  const busy = ({ resources, upstream }: Open): boolean =>
    Date.now() < until && (upstream > 0 || resources['TCPSocketWrap'] !== undefined);
  while (busy(await open(on)));
  return held(on);
}

async function held(on: Stage): Promise<Held> {
  return { ...(await reachable(on)), ...(await open(on)) };
}

/** What there is as soon as it is no more than before, or when patience is over. */
export async function settled(on: Stage, before: Held): Promise<Held> {
  const until = Date.now() + PATIENCE_MS;
  const more = (names: readonly (keyof Held)[], now: Partial<Held>): boolean =>
    Date.now() < until && names.some((name) => Number(now[name]) > Number(before[name]));
  while (more(OPEN, await open(on)));
  let now = await held(on);
  while (more([...OPEN, ...REACHABLE], now)) now = await held(on);
  return now;
}

/** What there is more of. */
export function grown(before: Held, after: Held): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...OPEN, ...REACHABLE].flatMap((name) => {
      const more = after[name] - before[name];
      return more > 0 ? [[name, more]] : [];
    }),
  );
}
