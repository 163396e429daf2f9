/** Clients that do not trust the sidecar: its log and `writ doctor` say which, and what to tell them. */
import { execFile } from 'node:child_process';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { unlessInstalled } from '../third-party/tool.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { openTunnel, startTunnels } from './tunnels.ts';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

/** What the doctor says of clients; its exit code does not matter here. */
async function clients(settingsFile: string): Promise<readonly Finding[]> {
  const examined = run(process.execPath, [BIN, 'doctor', '--json', '--config', settingsFile], { env: {} });
  const { stdout } = await examined.catch((cause: unknown) => cause as { stdout: string }); // execFile's error has it too
  const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] }; // our own output
  return findings.filter(({ name }) => name === 'clients');
}

t.test('each is named with its variable', { skip: unlessInstalled('curl', '--version') }, async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, port, said } = await startTunnels(t, { origins: [origin] });
  const grant = home.grant();
  t.match(await clients(home.settingsFile), [{ state: 'good' }]);

  const proxy = `http://grant:${grant}@127.0.0.1:${port}`;
  await t.rejects(run('curl', ['-sS', '--noproxy', '', '--proxy', proxy, origin.url]), /certificate/);
  t.match(await clients(home.settingsFile), [
    {
      state: 'warn',
      found: /^curl does not trust this sidecar.* \(localhost, once\)/,
      next: /CURL_CA_BUNDLE/,
    },
  ]);
  const told = said.find(({ msg }) => msg === 'an agent does not trust this sidecar');
  t.match(told, { level: 'warn', host: 'localhost', client: 'curl', next: /CURL_CA_BUNDLE=ca\.pem/ });

  const { socket } = await openTunnel(port, `localhost:${origin.port}`, { grant });
  const tls = connectTls({ socket, servername: 'localhost' });
  tls.on('error', () => undefined);
  await new Promise((resolve) => tls.once('close', resolve));
  t.match(await clients(home.settingsFile), [
    { found: /^Node .*once/, next: /NODE_EXTRA_CA_CERTS/ },
    { found: /^curl .*once/ },
  ]);
  t.strictSame(origin.seen, [], 'and none of them got through');
});
