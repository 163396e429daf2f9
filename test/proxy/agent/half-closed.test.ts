import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import type { Clock } from '../../../src/gate/outside.ts';
import { HalfClosed } from '../../../src/proxy/agent/half-closed.ts';
import type { PeerPorts } from '../../../src/proxy/agent/socket-owner.ts';
import { hasProc } from '../../e2e/child-sidecar.ts';
import type { Teardown } from '../small-gate.ts';

/** Time passes when the test says so. */
function makeClock(): Clock & { readonly waiting: { ms: number; then: () => void }[] } {
  const waiting: { ms: number; then: () => void }[] = [];
  const after = (ms: number, then: () => void) => (waiting.push({ ms, then }), () => undefined);
  return { wall: () => 0, monotonic: () => 0, after, waiting };
}

/** Until the next look is planned, or the agent has been let go. */
async function looked({ waiting }: ReturnType<typeof makeClock>, ours: Socket): Promise<void> {
  while (waiting.length === 0 && !ours.destroyed) await new Promise(setImmediate);
}

interface Ends {
  readonly agent: Socket;
  readonly ours: Socket;
  readonly ports: PeerPorts;
}

/** An agent that has closed its sending side. */
async function halfClosed(t: Teardown, host: string): Promise<Ends> {
  const server = createServer({ allowHalfOpen: true }).listen(0, host);
  await once(server, 'listening');
  const { port: localPort } = server.address() as AddressInfo; // a TCP server that listens has one
  const agent = connect({ port: localPort, host, allowHalfOpen: true });
  const [ours] = (await once(server, 'connection')) as [Socket];
  t.teardown(() => (server.close(), agent.destroy(), ours.destroy()));
  agent.end();
  await once(ours.resume(), 'end');
  return { agent, ours, ports: { localPort, remotePort: ours.remotePort ?? 0 } };
}

t.test('who still reads stays, who has left is let go', { skip: !hasProc }, async (t) => {
  for (const [host, redirected] of [['127.0.0.1', false], ['::1', false], ['127.0.0.1', true]] as const) {
    const { agent, ours, ports } = await halfClosed(t, host);
    const clock = makeClock();
    const watching = new HalfClosed(clock);
    watching.watch(ours, { ...ports, ...(redirected && { localPort: undefined }) });
    for (let look = 0; look < 3; look++) {
      await looked(clock, ours);
      t.notOk(ours.destroyed, 'it reads');
      if (look === 2) agent.destroy();
      clock.waiting.shift()?.then();
    }
    await looked(clock, ours);
    t.ok(ours.destroyed, 'it has left');
    t.equal(clock.waiting.length, 0, 'and nobody looks any more');
  }
}); // prettier-ignore

t.test('where the system does not tell, it has left', async (t) => {
  const { ours } = await halfClosed(t, '127.0.0.1');
  const clock = makeClock();
  new HalfClosed(clock).watch(ours, { localPort: 1, remotePort: 1 });
  await looked(clock, ours);
  t.ok(ours.destroyed);
  t.equal(clock.waiting.length, 0);
});

t.test('a call that is over is not looked after, and one look serves all', { skip: !hasProc }, async (t) => {
  const clock = makeClock();
  const watching = new HalfClosed(clock);
  const [first, second] = [await halfClosed(t, '127.0.0.1'), await halfClosed(t, '127.0.0.1')];
  watching.watch(first.ours, first.ports);
  watching.watch(second.ours, second.ports);
  await looked(clock, second.ours);
  t.equal(clock.waiting.length, 1);
  watching.forget(first.ours);
  first.agent.destroy();
  clock.waiting.shift()?.then();
  await looked(clock, second.ours);
  t.notOk(first.ours.destroyed);
  second.agent.destroy();
  clock.waiting.shift()?.then();
  await looked(clock, second.ours);
  t.equal(clock.waiting.length, 0);
});
