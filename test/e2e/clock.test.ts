/** A machine whose clock is set back, by hand or by a lying time server, brings no grant back to life. */
import t from 'tap';
import { RawAgent } from '../proxy/small-gate.ts';
import { startOrigin } from './origin.ts';
import { startTunnels } from './tunnels.ts';
import { readReply } from './wire.ts';

const HOUR_MS = 3_600_000;

t.test('an expired grant stays expired when the clock is set back', async (t) => {
  const origin = await startOrigin(t);
  const { home, sidecar, port } = await startTunnels(t, { origins: [origin] });
  const expired = (): string =>
    home.forge(({ payload }) => {
      const now = Math.floor(real() / 1000);
      Object.assign(payload, { iat: now - 60, exp: now - 1 });
    });
  const real = Date.now.bind(Date);
  t.teardown(() => (Date.now = real));
  t.match(await ask(port, origin.url, expired()), /code=grant_expired/);
  Date.now = () => real() - HOUR_MS;
  t.match(await ask(port, origin.url, expired()), /code=grant_expired/);
  t.match(
    await ask(port, origin.url, home.forge(forAnHour(real()))),
    /^permit/,
    'a good one passes all the same',
  );
  t.same(origin.seen.length, 1);
  while (!sidecar.readiness.report().alarms.includes('clock_set_back'))
    await new Promise((resolve) => sidecar.readiness.onChange(resolve));
  Date.now = real;
  while (sidecar.readiness.report().alarms.length > 0)
    await new Promise((resolve) => sidecar.readiness.onChange(resolve));
});

function forAnHour(now: number): (recipe: { payload: Record<string, unknown> }) => void {
  const iat = Math.floor(now / 1000);
  return ({ payload }) => Object.assign(payload, { iat, exp: iat + 3600 });
}

/** What `Writ-Decision` says of one call. */
async function ask(port: number, url: string, grant: string): Promise<string> {
  const agent = new RawAgent(port);
  const { host } = new URL(url);
  agent.socket.write(
    `GET ${url}/a HTTP/1.1\r\nHost: ${host}\r\nWrit-Grant: ${grant}\r\nConnection: close\r\n\r\n`,
  );
  await agent.closed();
  return readReply(agent.heard, false)?.headers['writ-decision'] ?? '';
}
