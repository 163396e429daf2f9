/** git over https: clone and push through the forward port, and clone from the reverse port; a real server behind. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { missing, run } from '../e2e/program.ts';
import type { Ended } from '../e2e/program.ts';
import { startTlsOrigin } from '../e2e/tls-origin.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { ELSEWHERE } from './calls.ts';
import { gitBackend } from './git-server.ts';
import { startSidecar } from './stage.ts';
import { assertSwallowed } from './swallowed.ts';

const skip = missing('git');
const folder = scratchFolder(t);
const origin = await startTlsOrigin(t, gitBackend(folder));
const stage = await startSidecar(t, { origins: [origin], settings: { proxy: { challenge: true } } });
const CONTENT = randomBytes(300_000);

/** Nobody's settings, and no questions. */
const ALONE = [
  ...[`HOME=${folder}`, 'GIT_CONFIG_NOSYSTEM=1', 'GIT_TERMINAL_PROMPT=0', 'GIT_TRACE_CURL_NO_DATA=1'],
  ...['AUTHOR_NAME', 'AUTHOR_EMAIL', 'COMMITTER_NAME', 'COMMITTER_EMAIL'].map((name) => `GIT_${name}=a`),
];
const git = (args: readonly string[], env: readonly string[] = []): Promise<Ended> =>
  run('env', [...ALONE, ...env, 'git', ...args]);

/** What a call through the forward port takes where the sidecar asks for its grant; the trace goes to standard error. */
const asked = (grant: string): readonly string[] => [
  ...[`https_proxy=${stage.proxy(grant)}`, `GIT_SSL_CAINFO=${stage.ca}`, 'GIT_TRACE_CURL=1'],
];

/** And so that nobody has to ask. */
const through = (grant: string): readonly string[] => [...asked(grant), 'GIT_HTTP_PROXY_AUTHMETHOD=basic'];
const work = join(folder, 'work');
const site = `${origin.url}/open/site.git`;

/** What must work first, on this machine alone. */
async function must(...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await git(args);
  if (exit !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Commits a file of these bytes; the commit's name. */
async function commit(content: Uint8Array): Promise<string> {
  writeFileSync(join(work, 'content'), content);
  await must('-C', work, 'add', '.');
  await must('-C', work, 'commit', '-q', '-m', 'content');
  return must('-C', work, 'rev-parse', 'HEAD');
}

/** The last answer that a trace shows. */
function lastAnswer(trace: string): { status: number; headers: Record<string, string> } {
  const lines = [...trace.matchAll(/<= Recv header: ([^\r\n]+)/g)].map(([, line = '']) => line);
  const at = lines.findLastIndex((line) => line.startsWith('HTTP/'));
  const headers = lines.slice(at + 1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { status: Number(lines[at]?.split(' ')[1]), headers: Object.fromEntries(headers) };
}

t.before(async () => {
  if (skip) return;
  await must('init', '-q', '-b', 'main', work);
  await commit(CONTENT);
  for (const path of ['open/site.git', 'secret/site.git']) {
    await must('init', '-q', '--bare', '-b', 'main', join(folder, path));
    await must('-C', join(folder, path), 'config', 'http.receivepack', 'true');
    await must('-C', work, 'push', '-q', join(folder, path), 'main');
  }
});

const PULL = [
  'GET /open/site.git/info/refs?service=git-upload-pack',
  'POST /open/site.git/git-upload-pack',
  'POST /open/site.git/git-upload-pack',
];

t.test('clone has every byte, through the forward port and from the reverse port', { skip }, async (t) => {
  const reverse = `${stage.reverse}/api/open/site.git`;
  for (const [name, env, args] of [
    ['unasked', through(stage.grant()), [site]],
    ['asked', asked(stage.grant()), [site]],
    ['reverse', [], ['-c', `http.${stage.reverse}/.extraHeader=Writ-Grant: ${stage.grant()}`, reverse]],
  ] as const) {
    const from = origin.seen.length;
    const clone = join(folder, name);
    const { exit, stderr } = await git(['clone', '-q', ...args, clone], env);
    t.equal(exit, 0, name, { stderr });
    t.equal(stderr.includes('HTTP/1.1 407'), name === 'asked');
    t.ok(readFileSync(join(clone, 'content')).equals(CONTENT), 'every byte');
    await must('-C', clone, 'fsck', '--strict');
    t.strictSame(origin.seen.slice(from), PULL, 'what reached the server');
  }
});

t.test('clone of what the grant does not name is refused', { skip }, async (t) => {
  const from = origin.seen.length;
  const grant = stage.grant();
  const args = ['clone', '-q', `${origin.url}/secret/site.git`, join(folder, 'secret-clone')];
  const { exit, stderr } = await git(args, through(grant));
  t.equal(exit, 128);
  t.match(stderr, 'The requested URL returned error: 403');
  await assertSwallowed(t, stage, grant, { ...lastAnswer(stderr), code: 'scope_path' });
  t.strictSame(origin.seen.slice(from), []);
});

t.test(
  'a grant that lets pull does not let push, and one that does lets push in chunks',
  { skip },
  async (t) => {
    const from = origin.seen.length;
    const name = await commit(randomBytes(3_000_000));
    const push = ['-C', work, 'push', '-q', site, 'main'];
    const paths = ['/open/site.git/info/refs', '/open/site.git/git-upload-pack'];
    const pull = stage.grant({ entry: { paths } });
    const refused = await git(push, through(pull));
    t.equal(refused.exit, 1);
    t.match(refused.stderr, 'RPC failed; HTTP 403');
    await assertSwallowed(t, stage, pull, { ...lastAnswer(refused.stderr), code: 'scope_path' });
    t.equal((await git(push, through(stage.grant()))).exit, 0);
    t.equal(await must('-C', join(folder, 'open/site.git'), 'rev-parse', 'main'), name, 'it arrived');
    const refs = 'GET /open/site.git/info/refs?service=git-receive-pack';
    const post = 'POST /open/site.git/git-receive-pack';
    t.strictSame(origin.seen.slice(from), [refs, refs, post, post]);
  },
);

t.test('a refused tunnel', { skip }, async (t) => {
  const grant = stage.grant();
  const { exit, stderr } = await git(['ls-remote', `${ELSEWHERE}site.git`], through(grant));
  t.equal(exit, 128);
  t.match(stderr, 'CONNECT tunnel failed, response 403');
  await assertSwallowed(t, stage, grant, { ...lastAnswer(stderr), code: 'scope_location' });
});
