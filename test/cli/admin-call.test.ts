import { readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { askSidecar } from '../../src/cli/admin-call.ts';
import { silent, startOrigin } from '../e2e/origin.ts';
import { run } from '../e2e/program.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const PATIENCE_MS = 50;
const NO_ANSWER = /^the sidecar at http:\/\/127\.0\.0\.1:\d+ does not answer$/;

const hangUp: RequestListener = (request) => void request.socket.destroy();
const headOnly: RequestListener = (_, response) => void response.writeHead(200).flushHeaders();

/** Says in a home that its sidecar is this process, at this origin. */
function claim(home: string, url: string): void {
  writeFileSync(join(home, 'run.json'), JSON.stringify({ admin: url, pid: process.pid }));
}

t.test('who listens and does not answer is not nobody', async (t) => {
  const home = scratchFolder(t);
  writeFileSync(join(home, 'admin.token'), 'secret\n');
  for (const [name, heard] of [
    ['it says nothing', silent],
    ['it says its head and no more', headOnly],
    ['it hangs up', hangUp],
  ] as const) {
    claim(home, (await startOrigin(t, heard)).url);
    await t.rejects(
      askSidecar(home, { path: '/', patienceMs: PATIENCE_MS }),
      {
        exit: 3,
        message: NO_ANSWER,
        remedy: new RegExp(`the log of process ${process.pid}, .*remove ${home}/run\\.json`),
      },
      name,
    );
  }
});

t.test('where nobody listens there is none', async (t) => {
  const home = scratchFolder(t);
  t.equal(await askSidecar(home, { path: '/' }), undefined, 'it never ran');
  writeFileSync(join(home, 'admin.token'), 'secret\n');
  const gone = await startOrigin(t);
  await gone.close();
  claim(home, gone.url);
  t.equal(await askSidecar(home, { path: '/' }), undefined, 'its run.json was left behind');
});

t.test('no command does alone what a sidecar that does not answer would have recorded', async (t) => {
  const home = join(scratchFolder(t), 'home');
  const writ = (...args: readonly string[]) => run(process.execPath, [BIN, ...args, '--home', home]);
  await writ('init');
  claim(home, (await startOrigin(t, hangUp)).url);
  const issued = await writ('grant', 'issue', '--location', 'http://a.test');
  t.match(issued, {
    exit: 3,
    stdout: /^$/,
    stderr: /the sidecar at .* does not answer\n +Look into the log/,
  });
  const told = await writ('doctor');
  t.match(told.stdout, /BAD +clients +the sidecar at .* does not answer/);
  const log = readFileSync(join(home, 'lineage', 'checkpoint'), 'utf8').split('\n')[0] ?? '';
  t.match((await writ('lineage', 'prove', '0')).stdout, log, 'a proof needs no sidecar');
});
