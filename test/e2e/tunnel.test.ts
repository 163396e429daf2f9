/** CONNECT through the forward port, with real clients: what is inside is decided request by request. */
import t from 'tap';
import { startSidecar } from '../../src/sidecar/start.ts';
import { makeLog } from '../../src/config/log.ts';
import type { Sidecar } from '../../src/sidecar/sidecar.ts';
import { tlsAuthorityPaths } from '../../src/sidecar/tls-authority.ts';
import { makeHome } from './home.ts';
import type { HomePlan, Teardown, TestHome } from './home.ts';
import { missing, run } from './program.ts';
import { rootFile, startTlsOrigin } from './tls-origin.ts';

const silent = makeLog('silent', { write: () => undefined });

/** A sidecar in this process, before a home that trusts the tests' upstreams. */
async function startTunnels(
  t: Teardown,
  plan: HomePlan,
): Promise<{ home: TestHome; sidecar: Sidecar; ca: string }> {
  const trusting = { upstream: { ...plan.settings?.['upstream'], extra_roots: rootFile } };
  const allow = (plan.origins ?? []).map(({ port }) => `127.0.0.1:${port}`);
  const settings = { ...plan.settings, upstream: { allow, ...trusting.upstream } };
  const home = await makeHome(t, { ...plan, settings });
  const sidecar = await startSidecar({
    ...{ settings: home.settings(), log: silent, version: '0.0.0', exposed: false },
    reread: () => ({ ok: true, settings: home.settings() }),
  });
  t.teardown(() => (sidecar.cut(), sidecar.stop()));
  return { home, sidecar, ca: tlsAuthorityPaths(home.path).certificate };
}

t.test('curl makes https calls through the forward port', { skip: missing('curl') }, async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, sidecar, ca } = await startTunnels(t, { origins: [origin] });
  const grant = home.grant();
  const curl = (...args: readonly string[]) =>
    run('curl', [
      '-m',
      '10',
      '-sS',
      '-w',
      '\n%{http_code}',
      '--proxy',
      sidecar.urls.forward ?? '',
      '--cacert',
      ca,
      ...args,
    ]);
  const permitted = await curl('--proxy-user', `grant:${grant}`, `${origin.url}/a?x=1`);
  t.match(permitted, { exit: 0, stdout: /"path":"\/a\?x=1".*\n200$/s }, 'permitted', { permitted });
  t.strictSame(origin.seen, ['GET /a?x=1']);
  t.strictSame(origin.names, ['localhost']);
  const again = await curl('--http1.1', '--proxy-user', `grant:${grant}`, `${origin.url}/b`);
  t.match(again, { exit: 0, stdout: /"path":"\/b".*\n200$/s }, 'permitted in HTTP/1.1', { again });
  const entries = home.entries();
  const at = entries.findIndex(({ type }) => type === 'tunnel');
  t.match(entries[at], { is: { host: 'localhost', port: origin.port, grant: { sub: 'agent:test' } } });
  t.match(entries[at + 1], {
    type: 'decision',
    is: { verdict: 'permit', assurance: { seen: 'inspected' }, call: { origin: origin.url, path: '/a' } },
  });
});
