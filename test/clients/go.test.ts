/** Go's net/http, compiled here: in HTTP/2 and HTTP/1.1. */
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertCalls } from './calls.ts';
import { startStage } from './stage.ts';
import { programFile } from './talk.ts';

t.setTimeout(300_000); // a machine that never compiled net/http does it now
const SOURCE = programFile('calls.go');
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

const { forward, redirected, reverse } = stage.ways;
const rows = [
  ['HTTP/2.0', forward],
  ['HTTP/1.1', forward],
  ['HTTP/2.0', redirected],
  ['HTTP/1.1', redirected],
  ['HTTP/2.0', reverse],
  ['HTTP/1.1', reverse],
] as const;

for (const [version, way] of rows)
  t.test(`${version}, ${way.name}`, { skip: skip || way.skip }, async (t) => {
    const env = way.environment({ trust: 'SSL_CERT_FILE' });
    const refusal = /"https:\/\/elsewhere.test\/": Forbidden$/;
    await assertCalls(t, stage, { way, command: [binary, version], env, version, refusal });
  });
