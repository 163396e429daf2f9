/** Python's websockets as Debian has it: in a tunnel that the program opens itself, and to the reverse port. */
import t from 'tap';
import { runTool } from '../third-party/tool.ts';
import { openChat } from './chat.ts';
import { assertOutcome, startStage } from './stage.ts';
import { assertSwallowed } from './swallowed.ts';
import { talk } from './talk.ts';

const PYTHON = '/usr/bin/python3'; // Debian's packages are for Debian's Python
const { ok } = runTool(PYTHON, ['-c', 'import websockets']);
const skip = !ok && `${PYTHON} cannot import websockets`;
const stage = await startStage(t);
const { home, site } = stage;
const reached = openChat(site);

const secure = site.url.replace('https', 'wss');
const plain = `${stage.reverse.replace('http', 'ws')}/api`;

/** Arguments and environment, with this grant. */
type Way = (grant: string) => readonly [args: readonly string[], env: NodeJS.ProcessEnv];

const ways: Readonly<Record<string, Way>> = {
  'wss in a tunnel': (grant) => [[secure, stage.proxy(grant)], { SSL_CERT_FILE: stage.ca }],
  'ws to the reverse port': (grant) => [[plain], { GRANT: grant }],
};

for (const [name, way] of Object.entries(ways)) {
  t.test(name, { skip }, async (t) => {
    const from = reached.length;
    const grant = stage.grant({ entry: { actions: ['UPGRADE'] } });
    const [args, env] = way(grant);
    const heard = await talk([PYTHON, 'websockets_calls.py', ...args], {
      ...{ PYTHONDONTWRITEBYTECODE: '1', ...env },
    });
    for (const message of ['one', 'two', '0 1']) t.match(heard.get(message), { same: true }, 'it comes back');
    await assertOutcome(t, home, heard.get('opened')?.headers?.['writ-decision']);
    const { status = 0, headers = {} } = heard.get('denied') ?? {};
    await assertSwallowed(t, stage, grant, { status, headers, code: 'scope_path' });
    t.strictSame(reached.slice(from), ['/chat'], 'what reached the site');
  });
}
