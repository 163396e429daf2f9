/** Go's net/http, compiled here: in HTTP/2 and HTTP/1.1 through the forward port, and to the reverse port. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertCalls, ELSEWHERE } from './calls.ts';
import { startStage } from './stage.ts';

t.setTimeout(300_000); // a machine that never compiled net/http does it now
const SOURCE = fileURLToPath(new URL('programs/calls.go', import.meta.url));
const skip = unlessInstalled('go', 'version');
const binary = join(scratchFolder(t), 'calls');
const QUICK = ['-gcflags', 'all=-N -l']; // unoptimized takes half as long
const env = { ...process.env, CGO_ENABLED: '0' };
const built = skip
  ? { ok: true, out: '' }
  : runTool('go', ['build', ...QUICK, '-o', binary, SOURCE], { env });
const stage = await startStage(t);

t.test('the program compiles', { skip }, (t) => {
  t.ok(built.ok, built.out);
  t.end();
});

for (const version of ['HTTP/2.0', 'HTTP/1.1'])
  t.test(`${version}, through the forward port`, { skip }, async (t) => {
    const env = stage.environment({ SSL_CERT_FILE: stage.ca });
    const command = [binary, 'calls.go', version, stage.site.url, ELSEWHERE] as const;
    await assertCalls(t, stage, {
      command,
      env,
      version,
      refusal: /"https:\/\/elsewhere.test\/": Forbidden$/,
    });
  });

t.test('to the reverse port', { skip }, async (t) => {
  const env = { GRANT: stage.grant() };
  const command = [binary, 'calls.go', 'HTTP/1.1', `${stage.reverse}/api`] as const;
  await assertCalls(t, stage, { command, env, version: 'HTTP/1.1' });
});
