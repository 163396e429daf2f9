import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(args: readonly string[], input = ''): Ran {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: {}, input });
}

function homeWithAuthority(test: Test): string {
  const home = join(test.testdir({}), 'home');
  for (const args of [['init'], ['keys', 'new', 'authority']]) {
    const { status, stderr } = writ([...args, '--home', home]);
    if (status !== 0) throw new Error(stderr);
  }
  return home;
}

t.test('without a sidecar the key file signs, and says that nothing was recorded', (t) => {
  const home = homeWithAuthority(t);
  const flags =
    '--location http://a.test --action GET POST --path /a/** --max-calls 3 --max-seconds 9 --ttl 90s --mcp-tool search read_*';
  const issued = writ([
    'grant',
    'issue',
    '--home',
    home,
    ...flags.split(' '),
    '--claim',
    'ticket=A=1',
    '--sub',
    'agent:x',
  ]);
  t.equal(issued.status, 0, issued.stderr);
  t.match(issued.stdout, /^eyJ[\w-]+\.[\w-]+\.[\w-]{86}\n$/, 'only the token');
  t.match(issued.stderr, /not recorded/);

  const shown = writ(['grant', 'inspect', '-', '--json', '--home', home], issued.stdout);
  t.equal(shown.status, 0, shown.stderr);
  const { verdict, grant } = JSON.parse(shown.stdout) as {
    verdict: unknown;
    grant: { iat: number; exp: number };
  };
  t.match(verdict, { word: 'accepted' });
  t.match(grant, {
    sub: 'agent:x',
    claims: { ticket: 'A=1' },
    scope: [
      {
        locations: ['http://a.test'],
        actions: ['GET', 'POST'],
        paths: [['a', '**']],
        max_calls: 3,
        max_seconds: 9,
        mcp_tools: ['search', 'read_*'],
      },
    ],
  });
  t.equal(grant.exp - grant.iat, 90);
  t.end();
});

t.test('inspect says why a home would refuse a grant, and exits 1', (t) => {
  const home = homeWithAuthority(t);
  const token = writ(['grant', 'issue', '--home', home]).stdout.trim();
  const inspect = (text: string, ...more: readonly string[]): Ran =>
    writ(['grant', 'inspect', text, '--home', home, ...more]);
  t.match(inspect(token), { status: 0, stdout: /^accepted/ });
  t.match(inspect(`${token}A`), { status: 1, stderr: /not a well-formed token/ });
  t.match(inspect(token, '--config', settingsFile(home, 'grant: {audience: other}\n')), {
    status: 1,
    stdout: /^refused {2}grant_wrong_audience/,
  });
  const last = token.slice(0, -87) + (token.at(-87) === 'A' ? 'B' : 'A') + token.slice(-86);
  t.match(inspect(last), { status: 1 });
  writeFileSync(join(home, 'authorities.json'), '{"authorities":[]}');
  t.match(inspect(token), { status: 1, stdout: /^refused {2}grant_unknown_key/ });
  rmSync(join(home, 'authorities.json'));
  t.match(inspect(token), { status: 3, stdout: /^unchecked/ });
  t.end();
});

t.test('a command line that makes no grant exits 2 and signs nothing', (t) => {
  const home = homeWithAuthority(t);
  const rows: readonly (readonly [flags: readonly string[], said: RegExp])[] = [
    [['--ttl', 'soon'], /--ttl takes a time/],
    [['--ttl', '2h'], /lives longer.* at most 3600 \(grant\.max_lifetime_seconds\)/],
    [['--max-calls', 'many'], /--max-calls takes a whole number/],
    [['--max-calls', '0'], /max_calls is not valid: it is a whole number, at least 1/],
    [['--claim', 'ticket'], /--claim takes name=value/],
    [['--location', 'a.test'], /locations is not valid: each is an origin such as https:/],
    [['--location', 'https://a.test/x'], /no path/],
    [['--action', 'get'], /actions is not valid: each is a method such as GET/],
    [['--path', '/a/../b'], /paths is not valid: each starts with \//],
    [['--content-sha256', 'AB'], /content_sha256 is not valid: it is 64 hexadecimal digits/],
    [['--colour', 'red'], /unknown option/],
  ];
  for (const [flags, said] of rows) {
    const { status, stdout, stderr } = writ(['grant', 'issue', '--home', home, ...flags]);
    t.equal(status, 2, flags.join(' '));
    t.equal(stdout, '');
    t.match(stderr, said);
  }
  t.end();
});

t.test('a grant for no named origin says which one it covers', (t) => {
  const home = homeWithAuthority(t);
  const { status, stderr } = writ(['grant', 'issue', '--home', home]);
  t.equal(status, 0);
  t.match(stderr, /no --location: it covers http:\/\/127\.0\.0\.1:18080 only/);
  t.notMatch(writ(['grant', 'issue', '--location', 'http://a.test', '--home', home]).stderr, /--location/);
  t.end();
});

t.test('without a key or a home there is nothing to sign with: exit 3, and what to do', (t) => {
  const home = join(t.testdir({}), 'home');
  t.match(writ(['grant', 'issue', '--home', home]), { status: 3, stderr: /writ keys new authority/ });
  t.match(writ(['keys', 'show', '--home', home]), { status: 3, stderr: /writ init/ });
  t.end();
});

t.test('a new authority is trusted, its key is private, and the next one does not take its place', (t) => {
  const home = homeWithAuthority(t);
  const file = join(home, 'keys', 'authority.jwk');
  t.equal(statSync(file).mode & 0o777, 0o600);
  const before = readFileSync(file, 'utf8');
  t.match(writ(['keys', 'new', 'authority', '--home', home]), { status: 3, stderr: /is there already/ });
  t.equal(readFileSync(file, 'utf8'), before);

  const shown = writ(['keys', 'show', '--json', '--home', home]);
  const { keys, authorities } = JSON.parse(shown.stdout) as {
    keys: { role: string; id: string }[];
    authorities: { id: string }[];
  };
  t.same(keys.map(({ role }) => role).sort(), ['authority', 'ca', 'log', 'receipt']);
  t.equal(authorities[0]?.id, keys.find(({ role }) => role === 'authority')?.id);
  const { d } = JSON.parse(before) as { d: string };
  t.notOk(shown.stdout.includes(d), 'the private part is not printed');

  rmSync(file);
  t.match(writ(['keys', 'new', 'authority', '--iss', 'urn:second', '--home', home]), { status: 0 });
  t.match(writ(['keys', 'show', '--home', home]).stdout, /urn:writ:authority:dev[^]*urn:second/);

  writeFileSync(file, before.replace('"d":"', '"d":'));
  const damaged = writ(['keys', 'show', '--home', home]);
  t.match(damaged, { status: 3, stderr: /authority\.jwk is not an Ed25519 private key as JWK/ });
  t.notMatch(damaged.stderr, d.slice(0, 6), 'what is said of a damaged key tells nothing of it');
  t.end();
});

t.test('a running sidecar signs and records', async (t) => {
  const home = join(t.testdir({}), 'home');
  const ports = ['--forward', '0', '--reverse', '0', '--transparent', '0', '--admin', '0'];
  const dev = spawn(process.execPath, [BIN, 'dev', '--home', home, ...ports], {
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const said = await until(/Calls appear/, dev.stdout);
    t.ok(existsSync(join(home, 'run.json')), said);
    const issued = writ(['grant', 'issue', '--location', 'http://a.test', '--json', '--home', home]);
    t.equal(issued.stderr, '');
    const { jti, recorded } = JSON.parse(issued.stdout) as { jti: string; recorded: boolean };
    t.equal(recorded, true);
    t.match(writ(['lineage', 'show', '--json', '--home', home]).stdout, jti, 'it is in the log');
    t.match(writ(['grant', 'issue', '--ttl', '9h', '--home', home]), { status: 2, stderr: /lives longer/ });
  } finally {
    dev.kill('SIGTERM');
    await once(dev, 'exit');
  }
  t.match(writ(['grant', 'issue', '--home', home]), { status: 0, stderr: /not recorded/ }, 'it has stopped');
});

/** A settings file beside the home. */
function settingsFile(home: string, text: string): string {
  const file = `${home}.yaml`;
  writeFileSync(file, text);
  return file;
}

/** Everything said up to these words. */
function until(words: RegExp, stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    stream.on('data', (chunk: Buffer) => {
      if (words.test((said += chunk.toString()))) resolve(said);
    });
    stream.once('end', () => reject(new Error(said)));
  });
}
