/** Writ's own proxy room before a gate that permits everything and records nothing: what carrying costs, without deciding. */
import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import { readCall } from '../../../src/call/read.ts';
import { Leases } from '../../../src/gate/lease.ts';
import type { Clock } from '../../../src/gate/outside.ts';
import { Listener } from '../../../src/proxy/agent/listener.ts';
import { HttpUpstream } from '../../../src/proxy/upstream/upstream.ts';

const clock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms).unref();
    return () => clearTimeout(timer);
  },
};
const upstream = new HttpUpstream(clock);
const leases = new Leases(clock);

const listener = new Listener({
  carrier: 'forward',
  gate: {
    run: async ({ head, exchange }) => {
      const read = readCall(head, { carrier: 'forward', routes: [], id: v7(), salt: randomBytes(16) });
      if (!read.ok) return exchange.drop();
      const call = read.value;
      const lease = leases.open('authority', clock.wall() + 3_600_000);
      const addresses = [{ address: call.host, family: 4, port: call.port }] as const;
      await upstream.execute({ call, exchange, addresses, lease, agent: 'agent', permit: 0 });
      lease.close();
    },
  },
  clock,
  maxConnections: 10_000,
  maxIdleTls: 10_000,
  maxStreams: 1000,
  headMs: 10_000,
  keepAliveMs: 60_000,
  agentMs: 0,
  onMalformed: () => undefined,
});
const { port } = await listener.listen(0, '127.0.0.1');
process.stdout.write(`${JSON.stringify({ port })}\n`);
process.on('message', () => process.send?.({ rss: process.memoryUsage.rss() })); // where a parent asks
process.on('disconnect', () => process.exit());
