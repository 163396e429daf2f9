/** curl: through the forward port by its environment or by flags, in both versions of HTTP, and to the reverse port. */
import { spawn } from 'node:child_process';
import t from 'tap';
import { missing, run } from '../e2e/program.ts';
import { readReply } from '../e2e/wire.ts';
import { ELSEWHERE } from './calls.ts';
import {
  assertPermitted,
  assertPieces,
  assertReached,
  assertRefused,
  QUESTION,
  startStage,
} from './stage.ts';
import type { Heard } from './stage.ts';
import { assertSwallowed } from './swallowed.ts';

const skip = missing('curl');
const stage = await startStage(t);
const { home, site } = stage;

/** What `env` is told: variables, then curl and its flags. */
type Way = () => readonly string[];

const fresh = (): string => `Writ-Grant: ${stage.grant()}`;
const ways: Readonly<Record<string, { readonly way: Way; readonly base: string; readonly version: string }>> = {
  'by its environment, in HTTP/2': {
    way: () => [`https_proxy=${stage.proxy()}`, `CURL_CA_BUNDLE=${stage.ca}`, 'curl'],
    base: site.url,
    version: '2',
  },
  'by flags, in HTTP/1.1': {
    way: () => ['curl', '--http1.1', '--cacert', stage.ca, '-x', stage.forward, '-U', `grant:${stage.grant()}`],
    base: site.url,
    version: '1.1',
  },
  'with a grant in a header of the proxy': {
    way: () => ['curl', '--cacert', stage.ca, '-x', stage.forward, '--proxy-header', fresh()],
    base: site.url,
    version: '2',
  },
  'to the reverse port': {
    way: () => ['curl', '-H', fresh()],
    base: `${stage.reverse}/api`,
    version: '1.1',
  },
}; // prettier-ignore

const QUIET = ['-sS', '-m', '20'];
const REPORT = '%{stderr}{"status":%{http_code},"version":"%{http_version}","headers":%{header_json}}';

/** One call; the body comes on standard output, and the rest on standard error. */
async function ask(command: readonly string[], args: readonly string[], input = ''): Promise<Heard> {
  const { stdout, stderr } = await run('env', [...command, ...QUIET, '-w', REPORT, ...args], input);
  const report = JSON.parse(stderr) as Report; // by REPORT
  const headers = Object.entries(report.headers).map(([name, values]) => [name, values.join(', ')]);
  const body = Buffer.from(stdout, 'latin1').toString();
  return { ...report, headers: Object.fromEntries(headers) as Heard['headers'], body };
}

interface Report {
  readonly status: number;
  readonly version: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/** A stream as it comes. */
async function follow(command: readonly string[], url: string): Promise<readonly string[]> {
  const child = spawn('env', [...command, ...QUIET, '-N', url], { env: { PATH: process.env['PATH'] } });
  const pieces: string[] = [];
  for await (const piece of child.stdout) {
    pieces.push(String(piece));
    site.advance();
  }
  return pieces;
}

for (const [name, { way, base, version }] of Object.entries(ways)) {
  t.test(name, { skip }, async (t) => {
    const from = site.seen.length;
    const echo = await ask(way(), ['--data-binary', '@-', `${base}/echo`], QUESTION);
    await assertPermitted(t, home, echo, QUESTION);
    t.match(echo, { version }, 'the version');
    assertPieces(t, await follow(way(), `${base}/pieces`));
    assertRefused(t, home, { ...(await ask(way(), [`${base}/secret/a`])), code: 'scope_path' });
    t.match(await run('env', [...way(), ...QUIET, '--fail', `${base}/secret/a`]), { exit: 22 }, '--fail');
    assertReached(t, { ...site, seen: site.seen.slice(from) }, ['POST /echo', 'GET /pieces']);
  });
}

t.test('a refused tunnel shows its headers, and its denial can be had by id', { skip }, async (t) => {
  const grant = stage.grant();
  const args = ['-x', stage.forward, '-U', `grant:${grant}`, '-i', ELSEWHERE];
  const { exit, stdout, stderr } = await run('curl', [...QUIET, ...args]);
  t.equal(exit, 56);
  t.match(stderr, 'CONNECT tunnel failed, response 403');
  const { status = 0, headers = {} } = readReply(stdout, true) ?? {};
  await assertSwallowed(t, stage, grant, { status, headers, code: 'scope_location' });
});
