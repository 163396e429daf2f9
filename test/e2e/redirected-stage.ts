/**
 * Run inside a network namespace of its own (`redirected.test.ts`): an origin, a sidecar and an agent under another uid,
 * whose connections the kernel redirects. Prints what happened as one line of JSON.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOrigin } from './origin.ts';
import { run } from './program.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { startTunnels } from './tunnels.ts';

/** Nobody on most systems; owns nothing. */
const AGENT = '65534';
/** RFC 5737 would do as well: nothing is routed out of here. */
const FAR = '93.184.216.34';

const closing: (() => unknown)[] = [];
const t = { teardown: (then: () => unknown) => void closing.unshift(then) };
const secure = await startTlsOrigin(t);
const plain = await startOrigin(t);
const looping = await startOrigin(t);
const { home, sidecar, ca } = await startTunnels(t, { origins: [secure, plain, looping] });
const trusted = join(tmpdir(), `writ-ca-${process.pid}.pem`); // the home is closed to the agent
copyFileSync(ca, trusted);
chmodSync(trusted, 0o644);
t.teardown(() => execFileSync('rm', ['-f', trusted]));

const { port } = new URL(sidecar.urls.transparent ?? '');
const redirect = ['-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '-j', 'REDIRECT', '--to-ports', port];
const agents = ['-m', 'owner', '--uid-owner', AGENT];
execFileSync('iptables', [
  '-t',
  'nat',
  '-A',
  'OUTPUT',
  '-p',
  'tcp',
  ...agents,
  '-d',
  '127.0.0.0/8',
  '-j',
  'RETURN',
]);
execFileSync('iptables', [...redirect, ...agents]);

/** curl as the agent, which believes every host to be far away. */
async function curl(...args: readonly string[]): Promise<string> {
  const as = ['--reuid', AGENT, '--clear-groups', 'curl', '-sS', '-m', '5', '--noproxy', '*'];
  const { stdout, stderr } = await run('setpriv', [...as, '--connect-to', `::${FAR}:`, ...args]);
  return stdout + stderr;
}

/** The agent does not wait for that. */
const refused = async (): Promise<void> =>
  void (await home.entry(({ is }) => is['code'] === 'connection_not_http'));

const own = sidecar.urls.admin ?? '';
const locations = [secure.url, plain.url, looping.url, own];
const grant = ['-H', `Writ-Grant: ${home.grant({ entry: { locations } })}`];
const tls = ['--cacert', trusted, `${secure.url}/a`];
const said = {
  ports: [secure, plain, looping].map((origin) => origin.port),
  http2: await curl(...grant, '--http2', ...tls),
  http1: await curl(...grant, '--http1.1', ...tls),
  clear: await curl(...grant, `${plain.url}/a`),
  ungranted: await curl(...tls),
  misdirected: await curl(...grant, '-H', `Host: localhost:${plain.port}`, '--http1.1', ...tls),
  raw: await curl('gopher://db.test:5432/_SSH-2.0-x').then(refused),
  own: await curl(...grant, `${own}/livez`),
};
execFileSync('iptables', [...redirect, '--dport', String(looping.port)]); // the sidecar's own calls as well
const looped = await curl(...grant, `${looping.url}/a`);
const decisions = home.entries().filter(({ type }) => type === 'decision');
const seen = [secure, plain, looping].map((origin) => origin.seen.length);
console.log(JSON.stringify({ ...said, looped, seen, decisions: decisions.map(({ is }) => is) }));
for (const close of closing) await close();
