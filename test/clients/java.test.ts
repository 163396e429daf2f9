/** Java's HttpClient, compiled here: by a header of its own or when it is asked (407), in both versions of HTTP. */
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { assertCalls } from './calls.ts';
import { startStage } from './stage.ts';
import { programFile } from './talk.ts';
import type { Way } from './ways.ts';

const skip = unlessInstalled('javac', '-version') || unlessInstalled('keytool', '-help');
const folder = scratchFolder(t);
const store = join(folder, 'trust.p12');
const QUICK = '-XX:TieredStopAtLevel=1'; // these programs end before more would pay
const compiled = skip
  ? { ok: true, out: '' }
  : runTool('javac', [`-J${QUICK}`, '-d', folder, programFile('Calls.java')]);
const stage = await startStage(t, { settings: { proxy: { challenge: true } } });

t.test('the program compiles', { skip }, (t) => {
  t.ok(compiled.ok, compiled.out);
  t.end();
});

t.test('keytool makes a trust store of the authority', { skip }, (t) => {
  const to = ['-keystore', store, '-storepass', 'changeit'];
  const { ok, out } = runTool('keytool', ['-importcert', '-noprompt', '-alias', 'writ', '-file', stage.ca, ...to]);
  t.ok(ok, out);
  t.end();
}); // prettier-ignore

const trust = [`-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit'];
const basic = '-Djdk.http.auth.tunneling.disabledSchemes=';
const { forward, redirected, reverse } = stage.ways;
const rows: readonly (readonly [
  name: string,
  way: Way,
  version: string,
  flags: readonly string[],
  more?: object,
])[] = [
  ['with a header of its own', forward, 'HTTP_2', trust],
  ['when it is asked', forward, 'HTTP_1_1', [...trust, basic], { ASKED: '1' }],
  ['with a header of its own', redirected, 'HTTP_2', trust],
  ['with a header of its own', redirected, 'HTTP_1_1', trust],
  ['with a header of its own', reverse, 'HTTP_1_1', []],
];

const run = (...args: readonly string[]): readonly string[] => ['java', QUICK, '-cp', folder, ...args];

for (const [name, way, version, flags, more] of rows)
  t.test(`${version}, ${name}, ${way.name}`, { skip: skip || way.skip }, async (t) => {
    const { HTTPS_PROXY, ...told } = way.environment();
    const { port, password } = new URL(HTTPS_PROXY ?? stage.forward);
    const env = { ...told, ...(HTTPS_PROXY && { PROXY_PORT: port, TOKEN: password }), ...more };
    const command = run(...flags, 'Calls', version);
    await assertCalls(t, stage, { way, command, env, version, refusal: /Tunnel failed, got: 403$/ });
  });

t.test('HTTP_2 in the clear, which asks for an upgrade, is HTTP_1_1', { skip }, async (t) => {
  const given = { way: reverse, command: run('Calls', 'HTTP_2'), env: reverse.environment() };
  await assertCalls(t, stage, { ...given, version: 'HTTP_1_1', refusal: /^$/ });
});
