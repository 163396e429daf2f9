/** A load generator on raw sockets: cheap enough that one core of it saturates a proxy on the other. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** What to send. */
export interface Plan {
  /** One more way to send: of its own, or shared with others. */
  readonly open: () => Promise<Connection>;
  readonly connections: number;
  /** How many calls in all. */
  readonly calls: number;
  /** The bytes of the n-th request. */
  readonly request: (n: number) => Buffer | string;
  /** Only answers with this status count as right. */
  readonly status: number;
  /** Calls a second, spread evenly; absent: each connection sends again as soon as it is answered. */
  readonly rate?: number;
}

/** What came of it. Times in milliseconds. */
export interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers with another status, and broken connections. */
  readonly wrong: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const SAMPLE_EVERY = 8;

/** Runs a plan to its end. */
export async function load(plan: Plan): Promise<Result> {
  const times: number[] = [];
  let sent = 0;
  let wrong = 0;
  const began = performance.now();
  const connections = await Promise.all(Array.from({ length: plan.connections }, plan.open));
  const one = async (connection: Connection): Promise<void> => {
    const at = performance.now();
    const status = await connection.exchange(plan.request(sent++));
    if (status !== plan.status) wrong += 1;
    if (plan.rate !== undefined || sent % SAMPLE_EVERY === 0) times.push(performance.now() - at);
  };
  if (plan.rate === undefined) {
    await Promise.all(
      connections.map(async (connection) => {
        while (sent < plan.calls) await one(connection);
      }),
    );
  } else await paced(plan, plan.rate, connections, one);
  const seconds = (performance.now() - began) / 1000;
  for (const connection of connections) connection.close();
  times.sort((a, b) => a - b);
  return { perSecond: plan.calls / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99), wrong };
}

/** Sends on the clock's beat, on whichever connection is free: a slow answer does not slow the next call. */
async function paced(
  plan: Plan,
  rate: number,
  connections: readonly Connection[],
  one: (connection: Connection) => Promise<void>,
): Promise<void> {
  const free = [...connections];
  const running: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; n < plan.calls; n++) {
    const wait = began + (n * 1000) / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const connection = free.pop();
    if (!connection) continue; // counted as sent late: all connections are busy;
    running.push(one(connection).then(() => void free.push(connection)));
  }
  await Promise.all(running);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

/** A way to send one request after another. */
export interface Connection {
  /** Sends one request; answers the status, 0 for a broken connection. */
  exchange(request: Buffer | string): Promise<number>;
  close(): void;
}

/** HTTP/1.1 over what `dial` gives, which is dialled again whenever it is closed. */
export async function overHttp1(dial: () => Promise<Socket>): Promise<Connection> {
  let socket = await dial();
  let waiting: ((status: number) => void) | undefined;
  let held: Buffer = Buffer.alloc(0);
  const answer = (status: number): void => {
    const resolve = waiting;
    waiting = undefined;
    resolve?.(status);
  };
  const listen = (): void => {
    socket.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const message = readMessage(held);
      if (!message) return;
      held = held.subarray(message.bytes);
      answer(message.status);
    });
    socket.on('error', () => answer(0));
    socket.on('close', () => answer(0));
  };
  listen();
  return {
    exchange: async (request) => {
      if (socket.destroyed) {
        socket = await dial();
        held = Buffer.alloc(0);
        listen();
      }
      return new Promise((resolve) => {
        waiting = resolve;
        socket.write(request);
      });
    },
    close: () => socket.destroy(),
  };
}

/** A connection to a port of this machine. */
export function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** One message with Content-Length at the start of the bytes; undefined until it is whole. */
function readMessage(bytes: Buffer): { status: number; bytes: number } | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const whole = end + HEAD_END.length + length;
  return bytes.length < whole ? undefined : { status: Number(head.slice(9, 12)), bytes: whole };
}
