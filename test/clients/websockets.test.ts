/** Python's websockets as Debian has it: in a tunnel that the program opens itself, and by a header of its own. */
import t from 'tap';
import { runTool } from '../third-party/tool.ts';
import { openChat } from './chat.ts';
import { assertOutcome, startStage } from './stage.ts';
import { assertSwallowed } from './swallowed.ts';
import { programFile, talk } from './talk.ts';
import { assertWay } from './ways.ts';

const PYTHON = '/usr/bin/python3'; // Debian's packages are for Debian's Python
const { ok } = runTool(PYTHON, ['-c', 'import websockets']);
const skip = !ok && `${PYTHON} cannot import websockets`;
const stage = await startStage(t);
const { home, site } = stage;
const reached = openChat(site);

for (const way of Object.values(stage.ways)) {
  t.test(way.name, { skip: skip || way.skip }, async (t) => {
    const [from, entries] = [reached.length, home.entries().length];
    const grant = stage.grant({ entry: { actions: ['UPGRADE'] } });
    const { HTTPS_PROXY, ...told } = way.environment({ trust: 'SSL_CERT_FILE', grant });
    const command = [PYTHON, programFile('websockets_calls.py'), way.url.replace('http', 'ws')];
    const heard = await talk([...command, ...(HTTPS_PROXY ? [HTTPS_PROXY] : [])], {
      ...{ PYTHONDONTWRITEBYTECODE: '1', ...told },
    });
    for (const message of ['one', 'two', '0 1']) t.match(heard.get(message), { same: true }, 'it comes back');
    await assertOutcome(t, home, heard.get('opened')?.headers?.['writ-decision']);
    const { status = 0, headers = {} } = heard.get('denied') ?? {};
    await assertSwallowed(t, stage, grant, { status, headers, code: 'scope_path' });
    assertWay(t, home, way, entries);
    t.strictSame(reached.slice(from), ['/chat'], 'what reached the site');
  });
}
