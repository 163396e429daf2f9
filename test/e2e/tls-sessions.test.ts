/** OpenSSL offers TLS sessions where they do not belong: every handshake is a full one, with the host's own certificate. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { missing, run } from './program.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { startTunnels } from './tunnels.ts';

const skip = missing('openssl');
const TICKET = /TLS session ticket:/;
const HOSTS = ['a.test', 'b.test', 'a.test'] as const;

t.test('a session of one host gets a full handshake and the certificate of the other, or its own', { skip }, async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, sidecar, ca, port } = await startTunnels(t, { origins: [origin] });
  const grant = home.grant({ entry: { locations: HOSTS.map((host) => `https://${host}:${origin.port}`) } });
  const transparent = new URL(sidecar.urls.transparent ?? '').port;
  const proxy = ['-proxy', `127.0.0.1:${port}`, '-proxy_user', 'grant', '-proxy_pass', `pass:${grant}`];
  const folder = t.testdir({});
  /** What OpenSSL says of a handshake in which it offers a session, and keeps one if it is given any. */
  const greet = async (to: readonly string[], host: string, files: readonly string[]): Promise<string> => {
    const args = ['s_client', ...to, '-servername', host, ...files, '-CAfile', ca, '-ign_eof'];
    const ask = `GET / HTTP/1.1\r\nHost: ${host}:${origin.port}\r\nConnection: close\r\n\r\n`; // TLS 1.3 brings tickets with the answer
    return (await run('openssl', args, ask)).stdout;
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    const real = join(folder, `origin${version}`);
    const direct = ['-connect', `127.0.0.1:${origin.port}`, version];
    t.match(await greet(direct, 'localhost', ['-sess_out', real]), TICKET, `${version}: an origin gives tickets`);
    t.match(await greet(direct, 'localhost', ['-sess_in', real]), /^Reused, TLSv1/m, `${version}: it would reuse one`);
    const ways = {
      tunnel: (host: string) => [...proxy, '-connect', `${host}:${origin.port}`, version],
      transparent: () => ['-connect', `127.0.0.1:${transparent}`, version],
    };
    for (const [way, to] of Object.entries(ways)) {
      const given = join(folder, `${way}${version}`);
      for (const host of HOSTS) {
        const offered = existsSync(given) ? given : real; // what the host before it left
        const said = await greet(to(host), host, ['-verify_hostname', host, '-verify_return_error', '-sess_in', offered, '-sess_out', given]);
        t.match(said, /^New, TLSv1/m, `${version}, ${way}, ${host}: a full handshake`);
        if (version === '-tls1_2') t.notMatch(said, TICKET, `${way}: no ticket`); // in TLS 1.3 OpenSSL names sessions that nobody keeps
        t.match(said, /^ *Verify(?: return code|cation): (?:0 \(ok\)|OK)$/m, `${version}, ${way}: its own certificate`);
      }
    }
  }
}); // prettier-ignore
