/** git over https: clone on all ways, and push through the forward port; a real server behind. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { missing, run } from '../e2e/program.ts';
import type { Ended } from '../e2e/program.ts';
import { startTlsOrigin } from '../e2e/tls-origin.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { gitBackend } from './git-server.ts';
import { startSidecar } from './stage.ts';
import { assertSwallowed } from './swallowed.ts';
import { assertWay, ELSEWHERE } from './ways.ts';
import type { Way } from './ways.ts';

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

/** Flags and environment without a proxy. */
function directly({ url, headers, environment }: Way, grant: string): Told {
  const lines = Object.entries(headers(grant)).map(([name, value]) => `${name}: ${value}`);
  const { GIT_SSL_CAINFO } = environment({ trust: 'GIT_SSL_CAINFO', grant });
  const flags = lines.flatMap((line) => ['-c', `http.${new URL(url).origin}/.extraHeader=${line}`]);
  return [flags, ['GIT_TRACE_CURL=1', ...(GIT_SSL_CAINFO ? [`GIT_SSL_CAINFO=${GIT_SSL_CAINFO}`] : [])]];
}

type Told = readonly [flags: readonly string[], env: readonly string[]];

const { forward, redirected, reverse } = stage.ways;
const rows: readonly (readonly [name: string, way: Way, tell: (grant: string) => Told])[] = [
  ['unasked', forward, (grant) => [[], through(grant)]],
  ['asked', forward, (grant) => [[], asked(grant)]],
  ['with a header', reverse, (grant) => directly(reverse, grant)],
  ['with a header', redirected, (grant) => directly(redirected, grant)],
];

for (const [i, [name, way, tell]] of rows.entries()) {
  t.test(`clone, ${name}, ${way.name}`, { skip: skip || way.skip }, async (t) => {
    const [from, entries] = [origin.seen.length, stage.home.entries().length];
    const clone = join(folder, `clone-${i}`);
    const grant = stage.grant();
    const [flags, env] = tell(grant);
    const { exit, stderr } = await git([...flags, 'clone', '-q', `${way.url}/open/site.git`, clone], env);
    t.equal(exit, 0, name, { stderr });
    t.equal(stderr.includes('HTTP/1.1 407'), name === 'asked');
    t.ok(readFileSync(join(clone, 'content')).equals(CONTENT), 'every byte');
    await must('-C', clone, 'fsck', '--strict');

    const secret = ['clone', '-q', `${way.url}/secret/site.git`, `${clone}-secret`];
    const refused = await git([...flags, ...secret], env);
    t.equal(refused.exit, 128, 'what the grant does not name is refused');
    t.match(refused.stderr, 'The requested URL returned error: 403');
    await assertSwallowed(t, stage, grant, { ...lastAnswer(refused.stderr), code: 'scope_path' });
    assertWay(t, stage.home, way, entries);
    t.strictSame(origin.seen.slice(from), PULL, 'what reached the server');
  });
}

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
