/** The proxy room with a gate of a few lines before it: real sockets on both sides, decisions given by the test. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { v7 } from 'uuid';
import type { Call } from '../../src/call/call.ts';
import { readCall } from '../../src/call/read.ts';
import type { Tunnel } from '../../src/call/tunnel.ts';
import { placeRoutes } from '../../src/call/route.ts';
import type { RouteSetting } from '../../src/call/route.ts';
import { deny, pass } from '../../src/denial/outcome.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { denialOf, problemOf, statusOf } from '../../src/gate/denial.ts';
import type { Denial, DenialStatus } from '../../src/gate/denial.ts';
import { Holder } from '../../src/gate/held-body.ts';
import { SharedRoom } from '../../src/gate/shared-room.ts';
import { Leases } from '../../src/gate/lease.ts';
import type { HeldLease, Lease } from '../../src/gate/lease.ts';
import type { Address, Clock, Ended } from '../../src/gate/outside.ts';
import { Http2Connection } from '../../src/proxy/agent/http2-connection.ts';
import { parseException, routeException } from '../../src/proxy/address/exception.ts';
import { Listener } from '../../src/proxy/agent/listener.ts';
import type { CallHandler } from '../../src/proxy/agent/call-handler.ts';
import { boundedLookup, interfaceAddresses } from '../../src/proxy/address/lookup.ts';
import type { Malformed } from '../../src/proxy/agent/malformed.ts';
import { StreamBudget } from '../../src/proxy/agent/load-shedding.ts';
import type { Shed } from '../../src/proxy/agent/load-shedding.ts';
import { VettingResolver } from '../../src/proxy/address/resolver.ts';
import { HttpUpstream, UPSTREAM_DEFAULTS } from '../../src/proxy/upstream/upstream.ts';
import type { UpstreamSettings } from '../../src/proxy/upstream/upstream.ts';

/** The machine's clock. */
export const clock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** What a test may decide about its calls. */
export interface Plan {
  readonly carrier?: 'forward' | 'reverse';
  /** What HTTP/2 connections stand for; without it they are on the reverse port. */
  readonly tunnel?: Tunnel;
  readonly routes?: readonly RouteSetting[];
  /** A code refuses the call. */
  readonly decide?: (call: Call) => DenialCode | undefined;
  /** Deadline of a request's head. */
  readonly headMs?: number;
  readonly keepAliveMs?: number;
  readonly maxConnections?: number;
  /** That run beside another on their HTTP/2 connection. */
  readonly maxStreams?: number;
  /** Of its denials. */
  readonly status?: DenialStatus;
  /** Sees the lease of each permitted call before it goes out. */
  readonly lease?: (lease: HeldLease, call: Call) => void;
  /** A lease of the test's own for each permitted call. */
  readonly ownLease?: (call: Call) => Lease;
  /** Reads the body before it goes out, at most so many bytes. */
  readonly bind?: number;
  readonly agent?: (call: Call) => string;
  readonly settings?: Partial<UpstreamSettings>;
  /** Addresses instead of the resolver's. */
  readonly vet?: () => readonly Address[];
  /** `address:port` or `cidr:port`. */
  readonly allow?: readonly string[];
}

/** A proxy under test. */
export interface Sidecar {
  readonly port: number;
  /** Where it speaks HTTP/2, in the clear. */
  readonly http2Port: number;
  /** The agents' connections there. */
  readonly http2: Set<Http2Connection>;
  readonly listener: Listener;
  readonly upstream: HttpUpstream;
  readonly calls: Call[];
  readonly ended: Ended[];
  readonly malformed: Malformed[];
  readonly shed: Shed[];
  /** Resolves when so many permitted calls have ended. */
  finished(count: number): Promise<void>;
}

/** The last call that ended. */
export function lastEnded(sidecar: Sidecar): Ended {
  const ended = sidecar.ended.at(-1);
  if (!ended) throw new Error('no call has ended');
  return ended;
}

/** What has to go when a test is over. */
export interface Teardown {
  teardown(then: () => unknown): void;
}

/** Starts a proxy; it goes with the test. */
export async function startSidecar(t: Teardown, plan: Plan = {}): Promise<Sidecar> {
  const upstream = new HttpUpstream(clock, { ...UPSTREAM_DEFAULTS, ...plan.settings });
  const calls: Call[] = [];
  const ended: Ended[] = [];
  const malformed: Malformed[] = [];
  const shed: Shed[] = [];
  const streams = new StreamBudget(plan.maxStreams ?? 1000);
  const waiting: { count: number; then: () => void }[] = [];
  const note = (outcome: Ended): void => {
    ended.push(outcome);
    for (const { count, then } of waiting) if (ended.length >= count) then();
  };
  const gate = smallGate(plan, {
    upstream,
    calls,
    note,
    ownPorts: () => new Set([listener.address?.port ?? 0]),
  });
  const listener: Listener = new Listener({
    carrier: plan.carrier ?? 'forward',
    gate,
    clock,
    maxConnections: plan.maxConnections ?? 1000,
    maxIdleTls: 1000,
    maxStreams: plan.maxStreams ?? 1000,
    onShed: (what) => shed.push(what),
    headMs: plan.headMs ?? 10_000,
    keepAliveMs: 5000,
    agentMs: plan.settings?.agentMs ?? 0,
    onMalformed: (event) => malformed.push(event),
  });
  const { port } = await listener.listen(0, '127.0.0.1');
  const http2 = new Set<Http2Connection>();
  const { port: http2Port } = await startRaw(t, (socket) => {
    const connection = new Http2Connection(socket, {
      gate,
      clock,
      context: plan.tunnel ? { carrier: 'connect', tunnel: plan.tunnel } : { carrier: 'reverse' },
      headMs: plan.headMs ?? 10_000,
      keepAliveMs: plan.keepAliveMs ?? 5000,
      agentMs: plan.settings?.agentMs ?? 0,
      streams,
      onShed: (what) => shed.push(what),
      onMalformed: (event) => malformed.push(event),
    });
    http2.add(connection);
    socket.on('close', () => http2.delete(connection));
  });
  t.teardown(async () => {
    const stopped = listener.stop();
    listener.destroy();
    upstream.close();
    await stopped;
  });
  const finished = (count: number): Promise<void> =>
    new Promise((then) => (ended.length >= count ? then() : waiting.push({ count, then })));
  return { port, http2Port, http2, listener, upstream, calls, ended, malformed, shed, finished };
}

interface Inside {
  readonly upstream: HttpUpstream;
  readonly calls: Call[];
  readonly note: (ended: Ended) => void;
  readonly ownPorts: () => ReadonlySet<number>;
}

function smallGate(plan: Plan, { upstream, calls, note, ownPorts }: Inside): CallHandler {
  const leases = new Leases(clock);
  const routes = placeRoutes(plan.routes ?? []);
  const exceptions = [
    ...routes.map(({ place }) => routeException(place)),
    ...(plan.allow ?? ['127.0.0.0/8:1']).flatMap((text) => parseException(text) ?? []),
  ];
  const resolver = new VettingResolver({
    lookup: boundedLookup({ clock, timeoutMs: 5000 }),
    exceptions,
    ownPorts,
    interfaces: interfaceAddresses,
  });
  return {
    async run({ head, exchange, ...context }) {
      const call = readCall(head, { ...context, routes, id: v7(), salt: randomBytes(16) });
      await Promise.resolve();
      if (!call.ok) return exchange.refuse(denial(call.code, { status: statusOf(call.code, false) }));
      if (call.value.action === 'CONNECT') return exchange.refuse(denial('tunnel_unsupported'));
      calls.push(call.value);
      const code = plan.decide?.(call.value);
      if (code) return exchange.refuse(denial(code, { status: plan.status ?? 403 }));
      const addresses = plan.vet ? pass(plan.vet()) : await resolver.vet(call.value, 'agent');
      if (!addresses.ok) return exchange.refuse(denial(addresses.code));
      const holder = plan.bind === undefined ? undefined : hold(plan.bind);
      const read = await (holder && exchange.readBody((piece) => holder.keep(piece)));
      if (read && !read.ok) return exchange.refuse(denial(read.code));
      const body = holder?.finish();
      const lease = leases.open('authority', clock.wall() + 3_600_000);
      plan.lease?.(lease, call.value);
      const agent = plan.agent?.(call.value) ?? 'https://authority agent';
      const passage = {
        call: call.value,
        exchange,
        addresses: addresses.value,
        lease: plan.ownLease?.(call.value) ?? lease,
        agent,
        permit: 7,
      };
      const outcome = await upstream.execute(body ? { ...passage, body } : passage);
      lease.close();
      note(outcome);
      if (outcome.ended === 'cut' && !outcome.answered)
        exchange.refuse(denial(outcome.by ?? 'internal_error'));
    },
  };
}

function hold(memory: number): Holder {
  const over = deny('scope_content', 'too long');
  const spool = { open: () => Promise.resolve(undefined) };
  return new Holder(
    'https://authority agent',
    { memory, spooled: 0, over },
    { memory: new SharedRoom(memory), disk: new SharedRoom(0), spool, pace: () => undefined },
  );
}

/** A denial without evidence. */
export function denial(code: DenialCode, given: Partial<Denial> = {}): Denial {
  const id = v7();
  const problem = problemOf({ id, code, reasons: [], salt: new Uint8Array(16), status: given.status ?? 403 });
  return { ...denialOf(id, problem, { receipt: null, proof: null }), close: false, ...given };
}

/** A server of raw bytes: `talk` gets each connection. */
export async function startRaw(
  t: Teardown,
  talk: (socket: Socket) => void,
): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    talk(socket);
  });
  return { port: await listening(t, server, () => sockets.forEach((socket) => socket.destroy())), sockets };
}

/** An HTTP origin. */
export async function startOrigin(t: Teardown, answer: RequestListener): Promise<number> {
  const server = createHttpServer(answer);
  return listening(t, server, () => server.closeAllConnections());
}

async function listening(
  t: Teardown,
  server: ReturnType<typeof createServer>,
  end: () => void,
): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    end();
  });
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}

/** Opens a connection, writes, and gives everything that comes until it closes. */
export async function exchangeRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let heard = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (heard += chunk));
  socket.write(bytes);
  await once(socket, 'close');
  return heard;
}

/** A connection on which a test waits for what it expects to hear. */
export class RawAgent {
  readonly socket: Socket;
  heard = '';
  readonly #waiting: { test: (heard: string) => boolean; then: () => void }[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined).setEncoding('latin1');
    this.socket.on('data', (chunk: string) => {
      this.heard += chunk;
      for (const { test, then } of this.#waiting) if (test(this.heard)) then();
    });
  }

  /** Resolves once the text has been heard. */
  hears(text: string): Promise<void> {
    const test = (heard: string): boolean => heard.includes(text);
    return new Promise((then) => (test(this.heard) ? then() : this.#waiting.push({ test, then })));
  }

  /** Resolves once the connection is closed. */
  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}
