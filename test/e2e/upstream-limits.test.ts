/** How long upstreams may take, and how many calls an agent may have there; each end has its status and its outcome. */
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import t from 'tap';
import type { Test } from 'tap';
import { openBlackHole } from './black-hole.ts';
import { silent, startOrigin } from './origin.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { openTunnel, startTunnels } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

interface Called {
  readonly status: number;
  readonly body: string;
}

/** One call by the reverse route; its body is empty where it broke off. */
async function call({ sidecar, home }: Tunnels, { path = 'x', sub = 'agent:test' } = {}): Promise<Called> {
  const headers = { 'writ-grant': home.grant({ sub }) };
  const reply = await fetch(new URL(`/api/${path}`, sidecar.urls.reverse), { headers });
  return { status: reply.status, body: await reply.text().catch(() => '') };
}

/** The outcome of the last permit. */
async function outcome(t: Test, { home }: Tunnels): Promise<Readonly<Record<string, unknown>>> {
  const permit = home.entries().findLast(({ is }) => is['verdict'] === 'permit');
  t.ok(permit);
  return (await home.outcome(permit?.seq ?? -1)).is;
}

t.test('an address that drops every SYN is 504, for calls and for tunnels', async (t) => {
  const port = await openBlackHole(t);
  for (const scheme of ['http', 'https']) {
    const authority = `127.0.0.1:${port}`;
    const tunnels = await startTunnels(t, {
      origins: [{ port, url: `${scheme}://${authority}` }],
      settings: { upstream: { connect_timeout_ms: 200 }, tls: { passthrough: [authority] } },
    });
    t.match(await call(tunnels), { status: 504, body: /urn:writ:upstream:connect_timeout/ });
    const { dialled, ...is } = await outcome(t, tunnels);
    t.match(is, { ended: 'upstream-error' });
    t.equal(dialled, undefined, 'nothing was reached');
    if (scheme === 'http') continue;
    const grant = tunnels.home.grant({ entry: { actions: ['CONNECT'] } });
    const { reply } = await openTunnel(tunnels.port, authority, { grant });
    t.match(reply, { status: 504, body: /urn:writ:upstream:connect_timeout/ });
    t.match(await outcome(t, tunnels), { ended: 'upstream-error' });
  }
});

t.test('a call has its time in all, before its answer and in the middle of it', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url !== '/drips') return;
    const drip = setInterval(() => response.write('drop'), 20);
    response.on('close', () => clearInterval(drip));
  });
  const settings = { upstream: { total_timeout_ms: 300 } };
  const tunnels = await startTunnels(t, { origins: [origin], settings });
  t.match(await call(tunnels), { status: 504, body: /urn:writ:upstream:total_timeout/ });
  t.match(await outcome(t, tunnels), { ended: 'upstream-error' });
  t.strictSame(await call(tunnels, { path: 'drips' }), { status: 200, body: '' }, 'it breaks off');
  t.match(await outcome(t, tunnels), { ended: 'upstream-error', status: 200 });
});

t.test('so has a tunnel that stays closed', async (t) => {
  const origin = await startTlsOrigin(t, silent);
  const authority = `localhost:${origin.port}`;
  const tunnels = await startTunnels(t, {
    origins: [origin],
    settings: { upstream: { total_timeout_ms: 300 }, tls: { passthrough: [authority] } },
  });
  const grant = tunnels.home.grant({ entry: { actions: ['CONNECT'] } });
  const { socket, reply } = await openTunnel(tunnels.port, authority, { grant });
  t.equal(reply.status, 200);
  if (!socket.closed) await once(socket.resume(), 'close');
  t.match(await outcome(t, tunnels), { ended: 'upstream-error' });
});

t.test('one agent’s calls at one upstream are bounded, tunnels among them, and no others', async (t) => {
  const origin = await startTlsOrigin(t, (request, response) => {
    if (request.url !== '/waits') response.end();
  });
  const other = await startTlsOrigin(t);
  const authority = `localhost:${origin.port}`;
  const settings = { upstream: { max_calls: 1 }, tls: { passthrough: [authority] } };
  const tunnels = await startTunnels(t, { origins: [origin, other], settings });
  const grant = tunnels.home.grant({ entry: { actions: ['CONNECT', 'GET'] } });

  const { socket } = await openTunnel(tunnels.port, authority, { grant });
  t.match(await call(tunnels), { status: 503, body: /urn:writ:upstream:upstream_busy/ });
  t.match(await outcome(t, tunnels), { ended: 'upstream-error' });
  t.match((await openTunnel(tunnels.port, authority, { grant })).reply, {
    status: 503,
    body: /upstream_busy/,
  });
  t.match(await call(tunnels, { sub: 'agent:other' }), { status: 200 }, 'another agent’s are its own');
  const away = await openTunnel(tunnels.port, `localhost:${other.port}`, { grant });
  t.equal(away.reply.status, 200, 'another upstream has its own count');

  const tls = connectTls({ socket, servername: 'localhost', rejectUnauthorized: false });
  await once(tls, 'secureConnect');
  tls.on('error', () => undefined).destroy();
  await tunnels.home.entry(({ is }) => is['ended'] === 'client-abort' || is['ended'] === 'complete');
  t.match(await call(tunnels), { status: 200 }, 'and once the tunnel is over there is room');
});
