/** curl: by its environment, by flags or by headers, in both versions of HTTP. */
import { spawn } from 'node:child_process';
import t from 'tap';
import { missing, run } from '../e2e/program.ts';
import { readReply } from '../e2e/wire.ts';
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
import { assertWay, ELSEWHERE } from './ways.ts';
import type { Way } from './ways.ts';

const skip = missing('curl');
const stage = await startStage(t);
const { home, site } = stage;

interface Row {
  readonly way: Way;
  /** What `env` is told: variables, then curl and its flags. */
  readonly curl: () => readonly string[];
  readonly version: string;
}

const { forward, redirected, reverse } = stage.ways;
const rows: Readonly<Record<string, Row>> = {
  'by its environment, in HTTP/2': {
    way: forward,
    curl: () => [`https_proxy=${stage.proxy()}`, `CURL_CA_BUNDLE=${stage.ca}`, 'curl'],
    version: '2',
  },
  'by flags, in HTTP/1.1': {
    way: forward,
    curl: () => ['curl', '--http1.1', '--cacert', stage.ca, '-x', stage.forward, '-U', `grant:${stage.grant()}`],
    version: '1.1',
  },
  'with a grant in a header of the proxy': {
    way: forward,
    curl: () => ['curl', '--cacert', stage.ca, '-x', stage.forward, '--proxy-header', `Writ-Grant: ${stage.grant()}`],
    version: '2',
  },
  'in HTTP/2': {
    way: redirected,
    curl: () => ['curl', '--cacert', stage.ca],
    version: '2',
  },
  'in HTTP/1.1': {
    way: redirected,
    curl: () => ['curl', '--http1.1', '--cacert', stage.ca],
    version: '1.1',
  },
  'in the clear': {
    way: reverse,
    curl: () => ['curl'],
    version: '1.1',
  },
  'in the clear, which asks for HTTP/2': {
    way: reverse,
    curl: () => ['curl', '--http2'],
    version: '1.1',
  },
  'in the clear, in HTTP/2': {
    way: reverse,
    curl: () => ['curl', '--http2-prior-knowledge'],
    version: '2',
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

function flags(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
}

for (const [name, { way, curl, version }] of Object.entries(rows)) {
  t.test(`${name}, ${way.name}`, { skip: skip || way.skip }, async (t) => {
    const [from, entries] = [site.seen.length, home.entries().length];
    const granted = (): readonly string[] => [...curl(), ...flags(way.headers())];
    const echo = await ask(granted(), ['--data-binary', '@-', `${way.url}/echo`], QUESTION);
    await assertPermitted(t, home, echo, QUESTION);
    t.match(echo, { version }, 'the version');
    assertPieces(t, await follow(granted(), `${way.url}/pieces`));
    const denied = `${way.url}/secret/a`;
    const upload = await ask(granted(), ['--data-binary', '@-', denied], QUESTION);
    assertRefused(t, home, { ...upload, code: 'scope_path' });
    t.match(await run('env', [...granted(), ...QUIET, '--fail', denied]), { exit: 22 }, '--fail');
    if (way !== forward) {
      const ungranted = await ask(curl(), [`${way.url}/echo`]);
      assertRefused(t, home, { ...ungranted, code: 'grant_missing' });
    }
    assertWay(t, home, way, entries);
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
