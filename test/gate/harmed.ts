/**
 * One call of an agent after the other, each with one thing going wrong in the sidecar that carries it, and what must hold
 * whatever it is (threats.md §4): the call is denied or broken off, nothing is forwarded without a permit, nothing is lost.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Test } from 'tap';
import type { DenialCode } from '../../src/denial/table.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import type { AgentExchange } from '../../src/proxy/agent/exchange.ts';
import { assertReceipt } from '../e2e/denied.ts';
import type { Recorded } from '../e2e/home.ts';
import { startTlsOrigin } from '../e2e/tls-origin.ts';
import { readReply } from '../e2e/wire.ts';
import { startEcho } from '../proxy/websocket-server.ts';
import { get } from './asking.ts';
import { realGate } from './real-gate.ts';
import type { Around, GatePlan, RealGate } from './real-gate.ts';
import { Tripwire } from './tripwire.ts';
import type { Harm, Point, Trap } from './tripwire.ts';

/** A sidecar that carries one kind of call, and what is known of it. */
export interface Stage {
  readonly real: RealGate;
  readonly wire: Tripwire;
  /** Where agents call. */
  readonly ports: Readonly<Record<'forward' | 'reverse' | 'transparent', number>>;
  /** `host:port` of TLS that is opened, and of TLS that is not. */
  readonly opened: string;
  readonly closed: string;
  /** Port of the WebSocket server. */
  readonly echo: number;
  /** `host:port` of the upstreams of its plan. */
  readonly beyond: readonly string[];
  /** Calls that the gate has not come to the end of. */
  readonly running: Set<Promise<void>>;
  /** What must not have happened. */
  readonly faults: string[];
  /** The log's length when the call began. */
  from: number;
  /** Connections and requests that came to an upstream. */
  reached: number;
  /** Calls that came to the gate since. */
  begun: number;
  /** Of the call that began last. */
  last?: AgentExchange;
  /** Open at an upstream. */
  readonly open: () => readonly Socket[];
}

/** An agent's one call: what it heard until its connection closed. */
export interface Asked {
  readonly socket: Socket;
  readonly heard: Promise<string>;
}

/** A kind of call, and all that goes wrong in it. */
export interface Kind {
  readonly ask: (on: Stage) => Asked | Promise<Asked>;
  /** What is heard where nothing goes wrong. */
  readonly good: RegExp;
  /** Which calls of parts go wrong; all by default. */
  readonly points?: RegExp;
  /** How they go wrong; by default each call throws, what waits also rejects and is late, and a timer's time is over. */
  readonly harms?: readonly Harm[];
  /** What is different about its sidecar. */
  readonly plan?: GatePlan | ((t: Test) => Promise<GatePlan>);
}

/** An upstream beside the usual ones. */
export interface Beyond {
  readonly port: number;
  readonly url: string;
  /** Says `connection` with each socket. */
  readonly server?: Pick<Server, 'on'>;
}

async function stage(t: Test, plan: GatePlan): Promise<Stage> {
  const wire = new Tripwire();
  const running = new Set<Promise<void>>();
  const faults: string[] = [];
  let on: Stage | undefined;
  const reached = (): void => {
    if (!on || (on.reached += 1) < 1) return;
    if (permitsOf(on).length === 0) faults.push('the upstream was reached without a permit');
  };
  const [opened, closed, echo] = [await startTlsOrigin(t), await startTlsOrigin(t), await startEcho(t)];
  const place = ({ port }: { port: number }): string => `localhost:${port}`;
  const { origins = [], ...rest } = plan;
  const beyond: readonly Beyond[] = origins;
  const real = await realGate(t, {
    wire: (name, part) => wire.wire(name, part),
    origins: [opened, closed, { port: echo.port, url: `http://127.0.0.1:${echo.port}` }, ...origins],
    passthrough: [place(closed)],
    spooledBytes: 10_000,
    onReached: reached,
    ...rest,
  });
  const runs = (ran: Promise<void>): Promise<void> => {
    running.add(ran);
    const done = (): boolean => running.delete(ran);
    ran.then(done, done);
    return ran;
  };
  const around: Around = (gate) => ({
    run: (arrival) => {
      const exchange = wire.wire('exchange', arrival.exchange);
      if (on) on.last = arrival.exchange;
      if (on) on.begun += 1;
      const mouth = arrival.mouth && wire.wire('mouth', arrival.mouth);
      return runs(gate.run({ ...arrival, exchange, ...(mouth && { mouth }) }));
    },
    turnAway: (...given) => runs(gate.turnAway(...given)),
  });
  const ports = {
    forward: await real.listenAs('forward', t, around),
    reverse: await real.listenAs('reverse', t, around),
    transparent: await real.listenAs('transparent', t, around),
  };
  const sockets = new Set<Socket>();
  for (const { server } of [opened, closed, echo, ...beyond])
    server?.on('connection', reached).on('request', reached); // not each request has a connection of its own
  for (const { server } of [opened, closed, ...beyond])
    server?.on('connection', (socket: Socket) =>
      sockets.add(socket.once('close', () => sockets.delete(socket))),
    );
  on = {
    ...{ real, wire, ports, opened: place(opened), closed: place(closed), echo: echo.port },
    beyond: beyond.map(({ url }) => new URL(url).host),
    ...{ running, faults, from: 0, reached: 0, begun: 0 },
    open: () => [...sockets, ...echo.sockets, ...real.origin.sockets],
  };
  wire.onGone(agentsEnds(t, ports));
  return on;
}

/** Destroys the sidecar's end of every agent's connection at once: what is done next is done on one that is gone. */
function agentsEnds(t: Test, ports: Stage['ports']): () => void {
  const open = new Set<Socket>();
  const ours = new Set(Object.values(ports));
  const heed = (message: unknown): void => {
    const { socket } = message as { socket: Socket }; // what Node says on this channel
    if (ours.has(socket.localPort ?? 0)) open.add(socket.once('close', () => open.delete(socket)));
  };
  subscribe('net.server.socket', heed);
  t.teardown(() => void unsubscribe('net.server.socket', heed));
  return () => open.forEach((socket) => socket.destroy());
}

const entriesOf = ({ real, from }: Stage): readonly Recorded[] => real.home.entries(from);
const verdictsOf = (on: Stage, verdict: 'permit' | 'deny'): readonly Recorded[] =>
  entriesOf(on).filter(({ type, is }) => type === 'decision' && is['verdict'] === verdict);
const permitsOf = (on: Stage): readonly Recorded[] => verdictsOf(on, 'permit');

/** The permits that have no outcome. */
function withoutOutcome(on: Stage): readonly string[] {
  const closed = new Set(entriesOf(on).filter(({ type }) => type === 'outcome').map(({ is }) => is['permit']));
  return permitsOf(on).filter(({ seq }) => !closed.has(seq)).map(({ seq }) => `permit ${seq} has no outcome`);
} // prettier-ignore

/** Without these there is no id, no clock, no rules, or no reply to make a denial with: the connection closes. */
const HOPELESS =
  /^(fresh|rules|exposed|clock\.monotonic|refuser\.refuse|exchange\.refuse|limit\.admit|exchange\.drop|originals\.of|time\.\w+)$/;
/** Without these nobody knows what was sent, or nobody can say so: the permit reads "outcome unknown". */
const LOSING = /^(lineage\.append(All)?|refuser\.refuseAfter|upstream\.execute|mouth\.splice)$/;
/** What is asked of these goes out, and its answer says only how it went. */
const FORWARDING = /^(upstream\.execute|mouth\.splice|mouth\.open|interceptor\.open)$/;

/** Waits for what must come, and says for what it waited in vain. */
function within<T>(what: string, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`still waiting: ${what}`)), 8000);
    promise.then((value) => (clearTimeout(timer), resolve(value)), reject);
  });
}

async function settled({ running }: Stage): Promise<void> {
  while (running.size > 0) await Promise.allSettled(running);
}

/** Whether the sidecar saw its agent leave: before a tunnel is open nobody reads on its connection. */
async function notices({ last }: Stage): Promise<boolean> {
  for (let turns = 0; turns < 100 && last?.gone === false; turns++) await setImmediate();
  return last?.gone ?? false;
}

/** As it should be, to its end. */
async function unharmed(on: Stage, ask: Kind['ask']): Promise<string> {
  const heard = await (await ask(on)).heard;
  await settled(on);
  return heard;
}

/** One call with one thing going wrong, and what must hold of it. */
async function harmed(t: Test, on: Stage, { ask, trap }: { ask: Kind['ask']; trap: Trap }): Promise<void> {
  const { real, wire, faults } = on;
  const name = `${trap.name}#${trap.nth} ${trap.harm}`;
  if (trap.name.startsWith('time.')) await unharmed(on, ask); // else its connection is not the one that was counted on
  on.from += entriesOf(on).length;
  on.reached = 0;
  on.begun = 0;
  const tripped = wire.arm(trap);
  const asked = await ask(on);
  if (trap.harm === 'late') await left(on, { name, trap, asked, tripped });
  else {
    const heard = (await within(`${name}: the end of the connection`, asked.heard)) ?? '';
    await within(`${name}: the gate`, settled(on));
    wire.disarm();
    answered(t, on, { name, trap, heard });
    if (!LOSING.test(trap.name)) faults.push(...withoutOutcome(on));
    if (trap.nth === 0) await passes(on, name);
  }
  if (real.parts.leases.size > 0) faults.push('a lease is open');
  if (real.parts.shelf.memory.used > 0) faults.push('memory is held');
  t.strictSame(faults.splice(0), [], name);
}

/** The agent leaves while an answer is late, and others go on. */
async function left(on: Stage, { name, trap, asked, tripped }: Leaving): Promise<void> {
  const { wire, faults } = on;
  await within(`${name}: trap or end`, Promise.race([tripped, asked.heard]));
  const before = on.reached;
  asked.socket.resetAndDestroy(); // a close could still want its answer
  wire.disarm();
  const noticed = await notices(on);
  await passes(on, name);
  on.reached -= 1;
  wire.release();
  await within(`${name}: its end`, settled(on));
  if (!LOSING.test(trap.name)) faults.push(...withoutOutcome(on));
  if (noticed && before === 0 && on.reached > 0 && !FORWARDING.test(trap.name))
    faults.push('a call went out for an agent that had left');
}

interface Leaving {
  readonly name: string;
  readonly trap: Trap;
  readonly asked: Asked;
  readonly tripped: Promise<void>;
}

/** Another call of the agent is served as ever. */
async function passes(on: Stage, name: string): Promise<void> {
  const heard = await within(`${name}: another call`, get(on, {}, '/other').heard);
  if (!heard?.startsWith('HTTP/1.1 200 ')) on.faults.push(`another call: ${heard}`);
}

/** Before its first request a connection is refused without a word, and on record where the log works. */
function turnedAway(on: Stage, { name }: Trap): boolean {
  return on.begun === 0 && (name.startsWith('lineage.') || verdictsOf(on, 'deny').length > 0);
}

/** A denial with proof, or nothing at all; a reply, whole or not, only behind a permit. */
function answered(t: Test, on: Stage, { name, trap, heard }: { name: string; trap: Trap; heard: string }): void {
  const reply = readReply(heard, true);
  if (reply?.status === 403) {
    const { code, proof } = JSON.parse(reply.body) as { code: DenialCode; proof: unknown }; // compared in there
    assertReceipt(t, on.real.home, { body: reply.body, code, ...(proof === null && { unrecorded: 'log_unavailable' }) });
  } else if (reply) {
    if (trap.harm === 'due' && reply.status === 408) return; // there was no call yet
    if (permitsOf(on).length === 0) on.faults.push(`${reply.status} without a permit`);
  } else if (heard === '' && on.reached === 0 && trap.harm !== 'gone' && !HOPELESS.test(trap.name) && !turnedAway(on, trap))
    on.faults.push(`${name}: closed without a word`);
} // prettier-ignore

const deletedBodies = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.body (deleted)');
    } catch {
      return false; // closed meanwhile
    }
  }).length;

/** Hear of what nobody caught: it ends a sidecar. */
const everywhere: string[][] = [];

function harmsOf({ name, waits }: Point): readonly Harm[] {
  if (waits) return ['throws', 'rejects', 'late'];
  return name.endsWith('.after') ? ['throws', 'due'] : ['throws'];
}

/** So many kinds side by side: each has a thread and a log of its own. */
const AT_ONCE = 8;

/** Runs each kind once as it should be, to count the calls that its sidecar makes of its parts, and then once for each harm to each of them. */
export function harmAll(t: Test, kinds: Readonly<Record<string, Kind>>): void {
  process.setUncaughtExceptionCaptureCallback((cause) => {
    for (const faults of everywhere) faults.push(`uncaught: ${cause.stack}`);
  });
  t.teardown(() => process.setUncaughtExceptionCaptureCallback(null));
  t.jobs = AT_ONCE;
  for (const [name, kind] of Object.entries(kinds))
    t.test(name, { buffered: true }, (t) => harmKind(t, name, kind));
}

async function harmKind(
  t: Test,
  name: string,
  { ask, good, points = /^/, harms, plan = {} }: Kind,
): Promise<void> {
  const on = await stage(t, typeof plan === 'function' ? await plan(t) : plan);
  const { real, wire, faults } = on;
  everywhere.push(faults);
  await unharmed(on, ask); // what is made only once is made
  void wire.arm();
  t.match(await unharmed(on, ask), good);
  const found = wire.disarm().filter((point) => points.test(point.name));
  t.comment(found.map(({ name, nth }) => `${name}#${nth}`).join(' '));
  t.ok(found.length > 0, 'something can go wrong');
  for (const point of found)
    for (const harm of harms ?? harmsOf(point)) await harmed(t, on, { ask, trap: { ...point, harm } });
  real.closeIdle();
  const closed = on.open().map((socket) => once(socket, 'close'));
  await within('the end of the connections to upstreams', Promise.all(closed));
  t.strictSame(faults, [], 'nor did anything go wrong behind the last call');
  if (name.includes('disk')) t.equal(deletedBodies(), 0, 'no body is left on disk');
  const layout = layoutOf(real.home.path);
  t.match(verifyLog({ layout, logKey: readIdentity(layout).logKey, everyHead: true }), { ok: true, torn: 0 });
  const outcomes = real.home.entries().filter(({ type }) => type === 'outcome');
  t.equal(
    new Set(outcomes.map(({ is }) => is['permit'])).size,
    outcomes.length,
    'no permit has two outcomes',
  );
}
