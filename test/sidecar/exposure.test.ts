/** Receipts say `keys: exposed` where the agent runs under a uid that can read the keys. */
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import type { Test } from 'tap';
import type { Clock } from '../../src/gate/outside.ts';
import { Exposure } from '../../src/sidecar/exposure.ts';
import type { PeerPorts } from '../../src/proxy/agent/socket-owner.ts';
import { peerUid } from '../../src/proxy/agent/socket-owner.ts';

const own = process.getuid?.();
const other = 65_000;

/** The ports of one real loopback connection, as its server sees them. */
async function connection(t: Test): Promise<PeerPorts> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1'); // a TCP server
  const [socket] = (await once(server, 'connection')) as [ReturnType<typeof connect>];
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  return { localPort: socket.localPort ?? 0, remotePort: socket.remotePort ?? 0 };
}

/** A clock that is moved by hand. */
function handClock(): Clock & { move(milliseconds: number): void } {
  let now = 0;
  const timers: { readonly at: number; readonly then: () => void }[] = [];
  return {
    wall: () => now,
    monotonic: () => now,
    after: (milliseconds, then) => {
      timers.push({ at: now + milliseconds, then });
      return () => undefined;
    },
    move: (milliseconds) => {
      now += milliseconds;
      for (const timer of timers.splice(0)) if (timer.at <= now) timer.then();
    },
  };
}

t.test(
  'the system tells whose end of a connection it is',
  { skip: process.platform !== 'linux' },
  async (t) => {
    t.equal(peerUid(await connection(t)), own);
    t.equal(peerUid({ localPort: 1, remotePort: 1 }), undefined, 'no such connection');
  },
);

t.test(
  'an agent under our uid exposes the keys, and so does root',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const exposure = new Exposure(false, own, handClock());
    t.equal(exposure.exposed, false);
    exposure.look(await connection(t));
    t.equal(exposure.exposed, true);
  },
);

t.test(
  'an agent under another uid does not',
  { skip: own === 0 || process.platform !== 'linux' },
  async (t) => {
    const exposure = new Exposure(false, other, handClock());
    exposure.look(await connection(t));
    t.equal(exposure.exposed, false);
  },
);

t.test(
  'a connection that was passed over is looked at later',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const clock = handClock();
    const exposure = new Exposure(false, own, clock);
    exposure.look({ localPort: 1, remotePort: 1 });
    exposure.look(await connection(t));
    t.equal(exposure.exposed, false, 'not within the same second');
    clock.move(1000);
    t.equal(exposure.exposed, true);
  },
);
