/** Python's clients as Debian has them: by the environment alone through the forward port, and to the reverse port. */
import t from 'tap';
import { runTool } from '../third-party/tool.ts';
import { assertCalls, ELSEWHERE } from './calls.ts';
import { startStage } from './stage.ts';

const PYTHON = '/usr/bin/python3'; // Debian's packages are for Debian's Python
const stage = await startStage(t);

interface Client {
  readonly imports: string;
  readonly file: string;
  readonly args?: readonly string[];
  /** The variable that says whom to trust. */
  readonly trust: string;
  /** What it says of a tunnel that was refused. */
  readonly refusal: RegExp;
}

const clients: Readonly<Record<string, Client>> = {
  requests: {
    imports: 'requests',
    file: 'requests_calls.py',
    trust: 'REQUESTS_CA_BUNDLE',
    refusal: /Tunnel connection failed: 403 Forbidden/,
  },
  httpx: {
    imports: 'httpx',
    file: 'httpx_calls.py',
    args: ['HTTP/1.1'],
    trust: 'SSL_CERT_FILE',
    refusal: /^403 Forbidden$/,
  },
  'httpx in HTTP/2': {
    imports: 'httpx, h2',
    file: 'httpx_calls.py',
    args: ['HTTP/2'],
    trust: 'SSL_CERT_FILE',
    refusal: /^403 Forbidden$/,
  },
  aiohttp: {
    imports: 'aiohttp',
    file: 'aiohttp_calls.py',
    trust: 'SSL_CERT_FILE',
    refusal: /^403, message='Forbidden'.*deny; id=/,
  },
};

// before the first test, since asking holds up the site, which lives in this process
const lacking = new Set(
  Object.values(clients)
    .map(({ imports }) => imports)
    .filter((imports) => !runTool(PYTHON, ['-c', `import ${imports}`]).ok),
);

for (const [name, { imports, file, args = [], trust, refusal }] of Object.entries(clients)) {
  const skip = lacking.has(imports) && `${PYTHON} cannot import ${imports}`;
  const [version] = args;

  t.test(`${name}, through the forward port`, { skip }, async (t) => {
    const env = stage.environment({ [trust]: stage.ca, PYTHONDONTWRITEBYTECODE: '1' });
    const command = [PYTHON, file, ...args, stage.site.url, ELSEWHERE] as const;
    await assertCalls(t, stage, { command, env, refusal, ...(version && { version }) });
  });

  if (version === 'HTTP/2') continue; // which the reverse port does not speak
  t.test(`${name}, to the reverse port`, { skip }, async (t) => {
    const env = { GRANT: stage.grant(), PYTHONDONTWRITEBYTECODE: '1' };
    const command = [PYTHON, file, ...args, `${stage.reverse}/api`] as const;
    await assertCalls(t, stage, { command, env });
  });
}
