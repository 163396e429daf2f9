/** Java's HttpClient: by a header of its own or when it is asked (407), in both versions of HTTP, and to the reverse port. */
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertCalls, ELSEWHERE } from './calls.ts';
import { startStage } from './stage.ts';

const skip = unlessInstalled('javac', '-version') || unlessInstalled('keytool', '-help');
const stage = await startStage(t, { settings: { proxy: { challenge: true } } });
const store = join(scratchFolder(t), 'trust.p12');

t.test('keytool makes a trust store of the authority', { skip }, (t) => {
  const to = ['-keystore', store, '-storepass', 'changeit'];
  const { ok, out } = runTool('keytool', ['-importcert', '-noprompt', '-alias', 'writ', '-file', stage.ca, ...to]);
  t.ok(ok, out);
  t.end();
}); // prettier-ignore

const QUICK = '-XX:TieredStopAtLevel=1'; // these programs end before more would pay
const environment = (flags: readonly string[], more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...{ PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...more },
  JAVA_TOOL_OPTIONS: [QUICK, ...flags].join(' '),
});

const trust = [`-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit'];
const basic = '-Djdk.http.auth.tunneling.disabledSchemes=';
const port = String(stage.sidecar.port('forward'));
const rows = [
  ['with a header of its own', 'HTTP_2', trust, {}],
  ['when it is asked', 'HTTP_1_1', [...trust, basic], { ASKED: '1' }],
] as const;

for (const [name, version, flags, more] of rows)
  t.test(`${version}, ${name}, through the forward port`, { skip }, async (t) => {
    const env = environment(flags, { PROXY_PORT: port, TOKEN: stage.grant(), ...more });
    const command = ['java', 'Calls.java', version, stage.site.url, ELSEWHERE] as const;
    await assertCalls(t, stage, { command, env, version, refusal: /Tunnel failed, got: 403$/ });
  });

t.test('to the reverse port', { skip }, async (t) => {
  const command = ['java', 'Calls.java', 'HTTP_1_1', `${stage.reverse}/api`] as const;
  await assertCalls(t, stage, {
    command,
    env: environment([], { GRANT: stage.grant() }),
    version: 'HTTP_1_1',
  });
});
