/** Python's clients as Debian has them, told by their environment alone. */
import t from 'tap';
import { runTool } from '../third-party/tool.ts';
import { assertCalls } from './calls.ts';
import { startStage } from './stage.ts';
import { programFile } from './talk.ts';

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

for (const [name, { imports, file, args = [], trust, refusal }] of Object.entries(clients))
  for (const way of Object.values(stage.ways)) {
    const [version] = args;
    const skip = lacking.has(imports) ? `${PYTHON} cannot import ${imports}` : way.skip;

    t.test(`${name}, ${way.name}`, { skip }, async (t) => {
      const env = { ...way.environment({ trust }), PYTHONDONTWRITEBYTECODE: '1' };
      const command = [PYTHON, programFile(file), ...args];
      await assertCalls(t, stage, { way, command, env, refusal, version });
    });
  }
