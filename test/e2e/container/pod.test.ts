import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildImages, container, logLine, play, removePods, whyNot, writ } from './pod.ts';
import type { Prepared } from './pod.ts';

const skip = await whyNot();

t.test('the example pod, from image to verified denial', { skip, timeout: 420_000 }, async (t) => {
  const folder = t.testdir();
  await buildImages();
  t.teardown(removePods);
  await play(folder, await prepare(folder));

  const permitted = answer(await logLine('example-agent-agent', 'permitted:'));
  t.match(permitted, { status: 200, body: 'GET /hello arrived\n' }, 'the permitted call reaches the origin');

  const refused = answer(await logLine('example-agent-agent', 'refused:'));
  t.equal(refused.status, 403, 'the other call is refused');
  t.match(JSON.parse(refused.body), { code: 'scope_action' }, 'because the grant does not cover it');

  const arrived = await container('podman', 'logs', 'example-origin-origin');
  t.match(arrived, /^GET \/hello /m, 'the origin saw the first call');
  t.notMatch(arrived, /DELETE/, 'nothing of the refused call reaches the origin');
  t.notMatch(arrived, /writ-grant/i, 'the grant stays here');

  await t.test('the denial verifies with the trust file taken from the sidecar', async (t) => {
    const denial = join(folder, 'denial.json');
    const trust = join(folder, 'trust.json');
    writeFileSync(denial, refused.body);
    writeFileSync(trust, await container('podman', 'exec', 'example-agent-writ', 'writ', 'trust', 'export'));
    const genuine = await writ('receipt', 'verify', denial, '--trust', trust);
    t.equal(genuine.exit, 0, 'as it came');
    t.match(genuine.stdout, /^anchored +yes/m);

    writeFileSync(denial, refused.body.replace('scope_action', 'scope_actiom'));
    t.equal((await writ('receipt', 'verify', denial, '--trust', trust)).exit, 1, 'altered, it does not');
  });

  await t.test('the sidecar is ready by its own probe, and holds nothing it does not need', async (t) => {
    await container('podman', 'exec', 'example-agent-writ', 'writ', 'doctor', '--ready');
    const status = await container('podman', 'exec', 'example-agent-writ', 'cat', '/proc/1/status');
    t.match(status, /^CapBnd:\s0+$/m, 'no capabilities');
    t.match(status, /^NoNewPrivs:\s1$/m, 'no way to new ones');
    t.match(status, /^Uid:\s65532\s/m, 'not root');
    t.equal(await tryWrite('example-agent-writ', '/opt/writ/x'), 'EROFS', 'its root is read-only');
  });

  await t.test(
    'nobody looks into the sidecar’s process, also where the agent shares its process namespace',
    async (t) => {
      for (const uid of ['10001', '65532']) {
        for (const file of ['environ', 'mem', 'maps', 'auxv', 'fd/0'])
          t.equal(
            await shows(uid, `cat /proc/1/${file}`),
            'Permission denied',
            `${uid} does not read ${file}`,
          );
        t.equal(
          await shows(uid, ': 3<>/proc/1/mem'),
          'Permission denied',
          `${uid} does not write its memory`,
        ); // asks what ptrace(2) asks
      }
      const limits = await container('podman', 'exec', 'example-agent-writ', 'cat', '/proc/1/limits');
      t.match(limits, /^Max core file size +0 +0 /m, 'no core file');
      const line = await container('podman', 'exec', 'example-agent-writ', 'cat', '/proc/1/cmdline');
      t.match(line, /bin\.js\0serve\0$/, 'its arguments name no secret');
      const variables = await container(
        'podman',
        'inspect',
        '--format',
        '{{.Config.Env}}',
        'example-agent-writ',
      );
      t.notMatch(variables, /token|secret|grant|key/i, 'nor does its environment');
    },
  );

  await t.test('the agent has another uid and no way to the keys', async (t) => {
    t.match(await inAgent('process.getuid()'), '10001', 'another uid');
    t.match(await inAgent('fs.existsSync("/var/lib/writ")'), 'false', 'no volume of the sidecar');
    t.equal(await tryWrite('example-agent-agent', '/opt/example/x'), 'EROFS', 'its root is read-only');
  });

  await t.test('SIGTERM ends the sidecar with exit 0, and its log verifies', async (t) => {
    const log = '/var/lib/writ/home';
    const verified = ['exec', 'example-agent-writ', 'writ', 'lineage', 'verify', '--home', log];
    await container('podman', ...verified);
    await container('podman', 'stop', '--time', '15', 'example-agent-writ');
    const exit = await container(
      'podman',
      'inspect',
      '--format',
      '{{.State.ExitCode}}',
      'example-agent-writ',
    );
    t.equal(exit.trim(), '0', 'stopped by itself');
  });
});

/** What docs/deploy.md tells an operator to do: an authority, whose key stays here, and a grant for the agent. */
async function prepare(folder: string): Promise<Prepared> {
  const home = ['--home', join(folder, 'authority')];
  const made = await writ('keys', 'new', 'authority', ...home, '--iss', 'urn:writ:authority:example');
  if (made.exit !== 0) throw new Error(made.stderr);
  const scope = ['--location', 'http://example-origin:8080', '--action', 'GET', '--path', '/hello'];
  const holder = ['--sub', 'agent:example', '--aud', 'writ:example-agent', '--ttl', '10m'];
  const issued = await writ('grant', 'issue', ...home, ...holder, ...scope);
  if (issued.exit !== 0) throw new Error(issued.stderr);
  return {
    authorities: readFileSync(join(folder, 'authority/authorities.json'), 'utf8'),
    grant: issued.stdout.trim(),
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function answer(line: string): Answer {
  return JSON.parse(line) as Answer; // as: a line of deploy/example-agent/agent.mjs
}

function inAgent(expression: string): Promise<string> {
  return container('podman', 'exec', 'example-agent-agent', 'node', '-p', expression);
}

/** What the shell says when this uid tries it where the sidecar runs: how it failed, or nothing. */
async function shows(uid: string, script: string): Promise<string | undefined> {
  const shell = [
    'exec',
    '--user',
    uid,
    'example-agent-writ',
    'sh',
    '-c',
    `(${script}) 2>&1 >/dev/null || true`,
  ];
  return /: ([^:]+)\n$/.exec(await container('podman', ...shell))?.[1];
}

/** Code of the fault that writing the file in a container met. */
async function tryWrite(name: string, file: string): Promise<string> {
  const script = `try { fs.writeFileSync(${JSON.stringify(file)}, '') } catch (fault) { fault.code }`;
  return (await container('podman', 'exec', name, 'node', '-p', script)).trim();
}
