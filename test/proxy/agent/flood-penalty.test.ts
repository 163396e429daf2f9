import t from 'tap';
import type { Test } from 'tap';
import { placeOf } from '../../../src/call/host.ts';
import type { Clock } from '../../../src/gate/outside.ts';
import { FloodPenalty } from '../../../src/proxy/agent/flood-penalty.ts';
import { Listener } from '../../../src/proxy/agent/listener.ts';
import type { TunnelParts } from '../../../src/proxy/tunnel/connect-exchange.ts';
import { frame, FrameAgent, TYPE } from '../http2-frames.ts';
import { clock, RawAgent, startRaw } from '../small-gate.ts';

const GRANT = { from: 'writ-grant', text: 'token' } as const;

t.test('each flood of an agent doubles its wait, up to 30 s', (t) => {
  let now = 0;
  const penalty = new FloodPenalty({ monotonic: () => now });
  t.equal(penalty.wait(GRANT), 0);
  for (const wait of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    penalty.strike(GRANT);
    t.equal(penalty.wait(GRANT), wait);
  }
  t.equal(penalty.wait({ from: 'writ-grant', text: 'another' }), 0, 'nobody else waits');
  now += 29_999;
  t.equal(penalty.wait(GRANT), 1);
  now += 1;
  t.equal(penalty.wait(GRANT), 0);
  now += 60_000;
  penalty.strike(GRANT);
  t.equal(penalty.wait(GRANT), 1000, 'and after a quiet minute it begins anew');
  t.end();
});

t.test('an agent is known by its grant, however a header spells it', (t) => {
  const penalty = new FloodPenalty({ monotonic: () => 0 });
  penalty.strike({ from: 'proxy-authorization', text: 'Bearer token' });
  const basic = Buffer.from('grant:token').toString('base64');
  for (const text of ['Bearer token', 'bearer  token', `BASIC ${basic}`])
    t.equal(penalty.wait({ from: 'proxy-authorization', text }), 1000, text);
  t.equal(penalty.wait(GRANT), 1000);
  t.equal(penalty.wait(undefined), 0);
  t.end();
});

/** A port that knows an agent of a flood inside a tunnel, and a clock that a test may break. */
async function afterFlood(t: Test): Promise<{ listener: Listener; port: number; time: Partial<Clock> }> {
  const time: Partial<Clock> = {};
  const listener = new Listener({
    ...{ carrier: 'forward', maxConnections: 10, maxIdleTls: 10, maxStreams: 10 },
    ...{ headMs: 10_000, keepAliveMs: 5000 },
    clock: {
      wall: clock.wall,
      monotonic: () => time.monotonic?.() ?? 0,
      after: (ms, then) => (time.after ?? clock.after)(ms, then),
    },
    tunnels: {} as TunnelParts, // none is ever opened
    gate: { run: ({ exchange }) => Promise.resolve(exchange.drop()) },
    onMalformed: () => undefined,
  });
  const { port } = await listener.listen(0, '127.0.0.1');
  t.teardown(() => (listener.destroy(), listener.stop()));
  const inside = await startRaw(t, (socket) => {
    const tunnel = { place: placeOf('https', { host: 'a.test', port: 443 }), credential: GRANT };
    listener.serveHttp2(socket, { carrier: 'connect', tunnel }, listener.connectionLimit.enter(socket));
  });
  const guilty = new FrameAgent(inside.port);
  const ping = frame(TYPE.PING, 0, { payload: new Uint8Array(8) });
  guilty.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => ping)));
  await guilty.closed();
  return { listener, port, time };
}

/** The next tunnel that it asks for. */
function askAgain(port: number): RawAgent {
  const agent = new RawAgent(port);
  agent.socket.write(`CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nWrit-Grant: ${GRANT.text}\r\n\r\n`);
  return agent;
}

t.test('who would wait where there is no clock is not answered at all', async (t) => {
  const broken = (): never => {
    throw new Error('no clock');
  };
  for (const harm of ['monotonic', 'after'] as const) {
    const { port, time } = await afterFlood(t);
    time[harm] = broken;
    const agent = askAgain(port);
    await agent.closed();
    t.equal(agent.heard, '', harm);
    delete time[harm];
  }
  const penalty = new FloodPenalty({ monotonic: broken });
  penalty.strike(GRANT);
  t.equal(penalty.wait(GRANT), 0, 'a flood that nobody can date is not counted: its connection has ended');
});

t.test('a stop does not wait for who waits', async (t) => {
  const { listener, port, time } = await afterFlood(t);
  const waits = new Promise<void>((resolve) => {
    time.after = () => {
      resolve();
      return () => void t.pass('and nothing is left of it');
    };
  });
  const agent = askAgain(port);
  await waits;
  await listener.stop();
  await agent.closed();
  t.equal(agent.heard, '');
});
