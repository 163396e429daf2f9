/** A closed tunnel whose two sides both ended is over once they have everything, and never stays for one that reads nothing. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import type { Call } from '../../../src/call/call.ts';
import { Leases } from '../../../src/gate/lease.ts';
import type { HeldLease } from '../../../src/gate/lease.ts';
import type { Ended } from '../../../src/gate/outside.ts';
import { ConcurrencyLimit } from '../../../src/proxy/upstream/concurrency-limit.ts';
import { Scavenger } from '../../../src/proxy/scavenger.ts';
import { Splice } from '../../../src/proxy/tunnel/splice.ts';
import { clock, startRaw } from '../small-gate.ts';

/** An agent whose kernel has no room: what is written for it is taken when the test says so. */
class Agent extends Duplex {
  heard = '';
  #offered: (() => void)[] = [];

  override _read(): void {
    // what it says is pushed
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#offered.push(() => ((this.heard += chunk.toString()), done()));
    this.emit('offered');
  }

  accept(): void {
    for (const next of this.#offered.splice(0)) next();
  }
}

/** What TLS says first. */
async function hello(): Promise<Buffer> {
  const wire = new Duplex({ read: () => undefined, write: (chunk) => wire.emit('said', chunk) });
  const first = once(wire, 'said');
  const tls = connectTls({ socket: wire, servername: 'localhost' }).on('error', () => undefined);
  const [said] = (await first) as [Buffer]; // as it is emitted above
  tls.destroy();
  return said;
}

interface Stage {
  readonly agent: Agent;
  readonly lease: HeldLease;
  readonly over: Promise<Ended>;
  readonly upstream: Set<Socket>;
  /** Our end of its upstream's connection has closed. */
  readonly hungUp: Promise<unknown>;
}

/** The next connection that this process opens to this port, once it has closed. */
function closing(t: Test, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const heed = (message: unknown): void => {
      const { socket } = message as { socket: Socket }; // what Node says on this channel
      socket.once('connect', () => {
        if (socket.remotePort === port) socket.once('close', resolve);
      });
    };
    subscribe('net.client.socket', heed);
    t.teardown(() => void unsubscribe('net.client.socket', heed));
  });
}

/** A tunnel whose upstream says `the end` and goes, and whose agent had nothing to say but its hello. */
async function stage(t: Test, idleMs: number): Promise<Stage> {
  const { port, sockets } = await startRaw(t, (socket) => socket.once('data', () => socket.end('the end')));
  const hungUp = closing(t, port);
  const agent = new Agent();
  const lease = new Leases(clock).open('authority', clock.wall() + 3_600_000);
  const call: Call = {
    ...{ id: '', carrier: 'forward', method: 'CONNECT', action: 'CONNECT', scheme: 'https', host: 'localhost', port },
    ...{ origin: `https://localhost:${port}`, path: '', segments: [], query: null, trace: '', salt: new Uint8Array(16) },
    ...{ headers: [], framing: { kind: 'none' } },
  }; // prettier-ignore
  const exchange = { gone: false } as never; // of which a tunnel looks at nothing else
  const addresses = [{ address: '127.0.0.1', family: 4, port }] as const;
  const passage = { call, exchange, addresses, lease, agent: 'an agent', permit: 7 };
  const end = {
    socket: agent as unknown as Socket, // a tunnel only reads, writes, ends and destroys it
    onGone: () => undefined,
    establish: () => undefined,
    fail: (cause: Error) => t.fail(cause.message),
  };
  const rest = {
    scavenger: new Scavenger(),
    concurrencyLimit: new ConcurrencyLimit(1),
    proxyFor: () => undefined,
  };
  const settings = { clock, connectMs: 5000, helloMs: 5000, totalMs: 0, idleMs, ...rest };
  const over = new Splice(passage, end, settings).run();
  const offered = once(agent, 'offered');
  agent.push(await hello());
  agent.push(null);
  await offered;
  return { agent, lease, over, upstream: sockets, hungUp };
}

t.test('it is complete when the last byte was taken', async (t) => {
  const { agent, over } = await stage(t, 0);
  agent.accept();
  t.match(await over, { ended: 'complete', response: { bytes: 7 } });
  t.equal(agent.heard, 'the end');
});

t.test('so it is when the upstream had hung up before', async (t) => {
  const { agent, over, hungUp } = await stage(t, 0);
  await hungUp;
  agent.accept();
  t.match(await over, { ended: 'complete', response: { bytes: 7 } });
  t.equal(agent.heard, 'the end');
});

t.test('who takes nothing of what is left is let go of after the idle time', async (t) => {
  const { agent, over, upstream } = await stage(t, 200);
  t.match(await over, { ended: 'upstream-error' });
  t.ok(agent.destroyed);
  for (const socket of upstream) if (!socket.closed) await once(socket, 'close');
});

t.test('without one its lease still ends it', async (t) => {
  const { agent, lease, over } = await stage(t, 0);
  lease.end('lease_seconds');
  t.match(await over, { ended: 'cut', by: 'lease_seconds' });
  t.ok(agent.destroyed);
});
