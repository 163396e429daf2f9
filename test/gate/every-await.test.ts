/**
 * Fail closed, at every await (threats.md §4): each call that a gate makes of its parts while it serves one call of an
 * agent is made to throw, to reject, and to answer only after the agent has left; one at a time, found by counting.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import type { DenialCode } from '../../src/denial/table.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import type { AgentExchange } from '../../src/proxy/exchange.ts';
import type { CallHandler } from '../../src/proxy/call-handler.ts';
import { assertReceipt } from '../e2e/denied.ts';
import type { Recorded } from '../e2e/home.ts';
import { rootFile, startTlsOrigin } from '../e2e/tls-origin.ts';
import { forwardHead, readReply } from '../e2e/wire.ts';
import { frame, handshakeBytes, startEcho } from '../proxy/websocket-server.ts';
import { realGate } from './real-gate.ts';
import type { RealGate } from './real-gate.ts';
import { Tripwire } from './tripwire.ts';
import type { Trap } from './tripwire.ts';

interface Stage {
  readonly real: RealGate;
  readonly wire: Tripwire;
  readonly port: number;
  /** `host:port` of TLS that is opened, and of TLS that is not. */
  readonly opened: string;
  readonly closed: string;
  readonly echo: number;
  /** Calls that the gate has not come to the end of. */
  readonly running: Set<Promise<void>>;
  /** What must not have happened. */
  readonly faults: string[];
  /** The log's length when the call began. */
  from: number;
  /** Connections and requests that came to an upstream. */
  reached: number;
  /** Of the call that began last. */
  last?: AgentExchange;
  /** Open at the WebSocket server. */
  readonly sockets: ReadonlySet<Socket>;
}

/** An agent's one call: what it heard until its connection closed. */
interface Asked {
  readonly socket: Socket;
  readonly heard: Promise<string>;
}

type Kind = (on: Stage) => Asked | Promise<Asked>;

async function stage(t: Test): Promise<Stage> {
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
  const real = await realGate(t, {
    wire: (name, part) => wire.wire(name, part),
    origins: [opened, closed, { port: echo.port, url: `http://127.0.0.1:${echo.port}` }],
    passthrough: [place(closed)],
    spooledBytes: 10_000,
    onReached: reached,
  });
  const around = (gate: CallHandler): CallHandler => ({
    run: (arrival) => {
      const exchange = wire.wire('exchange', arrival.exchange);
      if (on) on.last = arrival.exchange;
      const mouth = arrival.mouth && wire.wire('mouth', arrival.mouth);
      const ran = gate.run({ ...arrival, exchange, ...(mouth && { mouth }) });
      running.add(ran);
      const done = (): boolean => running.delete(ran);
      ran.then(done, done);
      return ran;
    },
  });
  const port = await real.listen(t, {}, around);
  for (const { server } of [opened, closed, echo]) server.on('connection', reached);
  on = {
    ...{ real, wire, port, opened: place(opened), closed: place(closed), echo: echo.port },
    ...{ running, faults, from: 0, reached: 0 },
    sockets: echo.sockets,
  };
  return on;
}

const entriesOf = ({ real, from }: Stage): readonly Recorded[] => real.home.entries(from);
const permitsOf = (on: Stage): readonly Recorded[] =>
  entriesOf(on).filter(({ type, is }) => type === 'decision' && is['verdict'] === 'permit');

/** Everything that comes on a connection, and what is answered to it. */
function hear(socket: Socket, answer: (heard: string) => string | Buffer | undefined = () => undefined): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    socket.setEncoding('latin1').on('error', () => undefined).on('close', () => resolve(heard));
    socket.on('data', (chunk: string) => {
      heard += chunk;
      const next = answer(heard);
      if (next !== undefined) socket.write(next);
    });
  });
} // prettier-ignore

function send(port: number, bytes: string): Asked {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return { socket, heard: hear(socket) };
}

/** A tunnel, and one request in TLS inside of it; the reply to the CONNECT where there is no tunnel. */
async function tunnel({ port, real: { home } }: Stage, authority: string, actions: readonly string[], ca?: string): Promise<Asked> {
  const grant = home.grant({ entry: { actions: [...actions] } });
  const outer = connect(port, '127.0.0.1');
  outer.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nWrit-Grant: ${grant}\r\n\r\n`);
  const closed = once(outer, 'close');
  outer.on('error', () => undefined);
  const heard = (async () => {
    const [first] = await Promise.race([once(outer, 'data'), closed]) as [unknown];
    if (!Buffer.isBuffer(first)) return '';
    if (!first.toString('latin1').startsWith('HTTP/1.1 200')) return first.toString('latin1') + await hear(outer);
    const options = { socket: outer, servername: 'localhost', ALPNProtocols: ['http/1.1'] };
    const tls = connectTls(ca === undefined ? { ...options, rejectUnauthorized: false } : { ...options, ca });
    tls.write(`GET /a HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`);
    return (await hear(tls)) || 'broken tunnel';
  })();
  return { socket: outer, heard };
} // prettier-ignore

const body = (length: number): { bytes: string; sha256: string } => {
  const bytes = 'x'.repeat(length);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
};

function post({ port, real }: Stage, length: number): Asked {
  const { bytes, sha256 } = body(length);
  const grant = real.home.grant({ entry: { content_sha256: sha256, max_calls: 1 } });
  const lines = [`Writ-Grant: ${grant}`, `Content-Length: ${length}`, 'Connection: close'];
  return send(port, `${forwardHead('POST', `${real.origin.url}/a`, ...lines)}${bytes}`);
}

function stream({ port, real }: Stage, length: number): Asked {
  const lines = [`Writ-Grant: ${real.home.grant()}`, `Content-Length: ${length}`, 'Connection: close'];
  return send(port, `${forwardHead('POST', `${real.origin.url}/a`, ...lines)}${'x'.repeat(length)}`);
}

function get({ port, real }: Stage, entry = {}, path = '/a'): Asked {
  const grant = real.home.grant({ entry });
  return send(port, forwardHead('GET', `${real.origin.url}${path}`, `Writ-Grant: ${grant}`, 'Connection: close'));
} // prettier-ignore

function webSocket({ port, echo, real }: Stage): Asked {
  const socket = connect(port, '127.0.0.1');
  socket.write(handshakeBytes(echo, `Writ-Grant: ${real.home.grant({ entry: { actions: ['UPGRADE'] } })}`));
  let said = 0;
  const heard = hear(socket, (text) => {
    if (said === 0 && text.includes('\r\n\r\n')) return (said = 1), frame('hello', { masked: true });
    if (said === 1 && text.includes('hello')) return (said = 2), frame('\x03\xe8', { masked: true, first: 0x88 });
    return undefined;
  });
  return { socket, heard };
} // prettier-ignore

const kinds: Readonly<Record<string, { ask: Kind; good: RegExp }>> = {
  'a plain GET': { ask: (on) => get(on), good: /^HTTP\/1\.1 200 / },
  'a GET that is refused': { ask: (on) => get(on, { paths: ['/b'] }), good: /scope_path/ },
  'a GET that is cut': { ask: (on) => get(on, { max_response_bytes: 3 }), good: /lease_response_bytes/ },
  'a POST': { ask: (on) => stream(on, 500), good: /"length":500/ },
  'a bound POST in memory': { ask: (on) => post(on, 500), good: /"length":500/ },
  'a bound POST on disk': { ask: (on) => post(on, 5000), good: /"length":5000/ },
  'a CONNECT that is opened': { ask: (on) => tunnel(on, on.opened, ['GET']), good: /^HTTP\/1\.1 200 / },
  'a CONNECT that stays closed': { ask: (on) => tunnel(on, on.closed, ['CONNECT'], readFileSync(rootFile, 'utf8')), good: /^HTTP\/1\.1 200 / },
  'a WebSocket': { ask: webSocket, good: /^HTTP\/1\.1 101 [^]*hello/ },
}; // prettier-ignore

/** Without these there is no id, no clock, no rules, or no reply to make a denial with: the connection closes. */
const HOPELESS =
  /^(fresh|rules|exposed|clock\.monotonic|refuser\.refuse|exchange\.refuse|limit\.admit|exchange\.drop)$/;
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

/** One call with one thing going wrong, and what must hold of it. */
async function harmed(t: Test, on: Stage, { ask, trap }: { ask: Kind; trap: Trap }): Promise<void> {
  const { real, wire, faults } = on;
  const name = `${trap.name}#${trap.nth} ${trap.harm}`;
  on.from += entriesOf(on).length;
  on.reached = 0;
  faults.splice(0);
  const tripped = wire.arm(trap);
  const asked = await ask(on);
  if (trap.harm === 'late') await left(on, { name, trap, asked, tripped });
  else {
    const heard = (await within(`${name}: the end of the connection`, asked.heard)) ?? '';
    await within(`${name}: the gate`, settled(on));
    wire.disarm();
    answered(t, on, { name, trap, heard });
    if (trap.nth === 0) await passes(on, name);
  }
  if (real.parts.leases.size > 0) faults.push('a lease is open');
  if (real.parts.shelf.memory.used > 0) faults.push('memory is held');
  t.strictSame(faults, [], name);
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

/** A denial with proof, or nothing at all; a reply, whole or not, only behind a permit. */
function answered(t: Test, on: Stage, { name, trap, heard }: { name: string; trap: Trap; heard: string }): void {
  const reply = readReply(heard, true);
  if (reply?.status === 403) {
    const { code, proof } = JSON.parse(reply.body) as { code: DenialCode; proof: unknown }; // compared in there
    assertReceipt(t, on.real.home, { body: reply.body, code, ...(proof === null && { unrecorded: 'log_unavailable' }) });
  } else if (reply) {
    if (permitsOf(on).length === 0) on.faults.push(`${reply.status} without a permit`);
  } else if (heard === '' && on.reached === 0 && !HOPELESS.test(trap.name)) on.faults.push(`${name}: closed without a word`);
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
process.setUncaughtExceptionCaptureCallback((cause) => {
  for (const faults of everywhere) faults.push(`uncaught: ${cause.stack}`);
});
t.teardown(() => process.setUncaughtExceptionCaptureCallback(null));

t.jobs = Object.keys(kinds).length;
for (const [kind, { ask, good }] of Object.entries(kinds)) {
  t.test(kind, { buffered: true }, async (t) => {
    const on = await stage(t);
    const { real, wire, faults } = on;
    everywhere.push(faults);
    await (await ask(on)).heard; // what is made only once is made
    void wire.arm();
    t.match(await (await ask(on)).heard, good);
    await settled(on);
    const points = wire.disarm();
    t.comment(points.map(({ name, nth }) => `${name}#${nth}`).join(' '));
    for (const point of points)
      for (const harm of point.waits ? (['throws', 'rejects', 'late'] as const) : (['throws'] as const))
        await harmed(t, on, { ask, trap: { ...point, harm } });
    await Promise.all([...on.sockets].map((socket) => once(socket, 'close')));
    if (/disk/.test(kind)) t.equal(deletedBodies(), 0, 'no body is left on disk');
    const { logKey } = readIdentity(layoutOf(real.home.path));
    t.match(verifyLog({ layout: layoutOf(real.home.path), logKey, everyHead: true }), { ok: true, torn: 0 });
    const outcomes = real.home.entries().filter(({ type }) => type === 'outcome');
    t.equal(new Set(outcomes.map(({ is }) => is['permit'])).size, outcomes.length, 'no permit has two outcomes');
  }); // prettier-ignore
}
