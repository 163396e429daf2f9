/** What the doctor looks at outside the home: Node, environment, proxy variables, ports. */
import { createServer } from 'node:net';
import type { Settings } from '../../config/schema.ts';
import { askPublic } from '../running.ts';
import type { Running } from '../running.ts';
import { bad, good, warn } from './finding.ts';
import type { Finding } from './finding.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const WANTED = [24, 15] as const;

/** Node's version. */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > WANTED[0] || (major === WANTED[0] && minor >= WANTED[1]);
  if (enough) return good('node', version);
  return bad(
    'node',
    version,
    `Install Node ${WANTED.join('.')} or newer; \`npm ci\` in the checkout brings one.`,
  );
}

/** What the image's launcher drops (deploy/image/writ). */
const LOADERS = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'NODE_COMPILE_CACHE'],
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT'],
  ...['OPENSSL_CONF', 'OPENSSL_MODULES', 'OPENSSL_ENGINES'],
];

/** Variables that load other code into this process, or give it to a debugger. */
export function loaderFinding(env: Environment): Finding {
  const set = LOADERS.filter((name) => env[name]);
  if (set.length === 0) return good('environment', 'nothing that loads other code');
  return warn(
    'environment',
    `${set.join(', ')} set`,
    'Unset them before `writ serve`: they load code into the sidecar.',
  );
}

/** Proxy variables of this shell, and how `curl` takes them: they decide whether a trial call reaches the sidecar. */
export function proxyFinding(env: Environment): Finding {
  const none = env['no_proxy'] ?? env['NO_PROXY'] ?? '';
  const local = none
    .split(',')
    .map((part) => part.trim())
    .filter((part) => /^(\*|localhost|\.?127\.|::1|\[::1\])/.test(part));
  if (local.length > 0)
    return warn(
      'proxy variables',
      `no_proxy names ${local.join(', ')}`,
      "Calls to local upstreams go round the sidecar: use `curl --noproxy ''`, and unset no_proxy for the agent.",
    );
  if (env['HTTP_PROXY'] && !env['http_proxy'])
    return warn(
      'proxy variables',
      'HTTP_PROXY without http_proxy',
      'curl reads only the lower-case name: set both.',
    );
  const set = ['http_proxy', 'https_proxy', 'HTTPS_PROXY'].flatMap((name) => {
    const proxy = env[name];
    return proxy ? [`${name} is ${withoutGrant(proxy)}`] : [];
  });
  return good('proxy variables', set.join(', ') || 'none set in this shell');
}

/** A proxy's URL for a screen: the grant in it is a password until it expires. */
function withoutGrant(proxy: string): string {
  return proxy.replace(/^([a-z0-9+.-]+:\/\/)?.*@/i, '$1…@');
}

/** Whether each listener's port is free, or held by the sidecar of this home. */
export async function portFindings(
  settings: Settings,
  running: Running | undefined,
): Promise<readonly Finding[]> {
  const answer = running && (await askPublic(running.admin, '/livez'));
  const findings: Finding[] = [];
  for (const flag of ['forward', 'reverse', 'transparent', 'admin'] as const) {
    const at = settings.listen[flag];
    const name = `port (${flag})`;
    if (!at) findings.push(good(name, 'off'));
    else if (at.port === 0) findings.push(good(name, `${at.host}, any free port`));
    else
      findings.push(
        portFinding(name, flag, { ...at, ours: answer?.status === 200, fault: await bindFault(at) }),
      );
  }
  return findings;
}

interface Tried {
  readonly host: string;
  readonly port: number;
  readonly ours: boolean;
  readonly fault: string | undefined;
}

function portFinding(name: string, flag: string, { host, port, ours, fault }: Tried): Finding {
  const at = `${host}:${port}`;
  if (fault === undefined)
    return good(name, ours ? `${at} is free; the sidecar listens elsewhere` : `${at} is free`);
  if (fault === 'EADDRINUSE' && ours) return good(name, `${at} is in use while this home’s sidecar runs`);
  const why = fault === 'EADDRINUSE' ? 'is in use by another program' : `cannot be had (${fault})`;
  return bad(name, `${at} ${why}`, `Choose another with --${flag}, or find out who holds it (\`ss -ltnp\`).`);
}

/** The code with which binding fails; undefined where the port can be had. */
function bindFault({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (fault: NodeJS.ErrnoException) => resolve(fault.code ?? fault.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** What the running sidecar says of itself. */
export async function sidecarFinding(running: Running | undefined): Promise<Finding> {
  if (!running) return good('sidecar', 'not running');
  const reply = await askPublic(running.admin, '/readyz');
  if (!reply)
    return warn(
      'sidecar',
      `run.json names ${running.admin}, but nobody answers there`,
      'It ended without cleaning up, or hangs: see its log; `writ serve` starts it again.',
    );
  if (reply.status === 200) return good('sidecar', `ready at ${running.admin}`);
  return bad(
    'sidecar',
    `not ready: ${reply.text.trim()}`,
    'Another finding that is BAD says why; else see the sidecar’s log.',
  );
}
