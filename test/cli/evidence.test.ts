import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Catalogue } from '../../src/lineage/catalogue/catalogue.ts';
import { parseProof } from '../../src/lineage/proof.ts';
import { segmentPath } from '../../src/lineage/layout.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { callDraft, openStore } from '../lineage/scratch-log.ts';
import { deniedCall } from '../receipt/denied-call.ts';
import type { Denied, Wanted } from '../receipt/denied-call.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function writ(args: readonly string[], input: string | Buffer = ''): Ran {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', env: {}, input });
}

const jsonLines = ({ stdout }: Ran): readonly unknown[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

/** A home with a log of 9 entries, the denial that is the last of them, and the home's trust file, as files. */
function evidence(
  t: Parameters<typeof scratchFolder>[0],
  wanted: Wanted = {},
): Denied & { denial: string; trustFile: string } {
  const folder = scratchFolder(t);
  const denied = deniedCall(join(folder, 'home'), wanted);
  const [denial, trustFile] = [join(folder, 'denial.json'), join(folder, 'trust.json')];
  writeFileSync(denial, denied.body);
  writeFileSync(trustFile, denied.trust);
  return { ...denied, denial, trustFile };
}

t.test('a denial is verified offline, each answer on its own line', (t) => {
  const { denial, trustFile, body, log } = evidence(t);
  rmSync(log.home, { recursive: true });
  const { status, stdout } = writ(['receipt', 'verify', denial, '--trust', trustFile]);
  t.equal(status, 0);
  t.match(stdout, /^authentic +yes .*\nuntampered +yes .*\nanchored +yes +entry 8 of localhost\/writ/);
  t.match(stdout, /\nwhat +deny policy_denied\n/);
  t.match(stdout, /\nnot proven +completeness/);
  t.match(stdout, `keys from   ${trustFile}`);
  t.notMatch(stdout, '\x1b', 'no colours in a pipe');
  t.equal(
    writ(['receipt', 'verify', '-', '--trust', trustFile], `${body}\n`).status,
    0,
    'from standard input',
  );
  const json = writ(['receipt', 'verify', denial, '--trust', trustFile, '--json']);
  t.match(JSON.parse(json.stdout), {
    authentic: { proven: true },
    untampered: { proven: true },
    anchored: { proven: true },
  });
  t.end();
});

t.test('exit codes tell a bad denial from a bad question', (t) => {
  const { denial, trustFile, body } = evidence(t);
  const verify = (...more: readonly string[]): readonly string[] => ['receipt', 'verify', ...more];
  const rows: [string, readonly string[], string | Buffer, number, RegExp][] = [
    ['a changed title', verify('-', '--trust', trustFile), body.replace('"title":"', '"title":"X'), 1, /untampered +NO/],
    ['a reformatted body', verify('-', '--trust', trustFile), JSON.stringify(JSON.parse(body), null, 2), 1, /reformatted/],
    ['no trust file named', verify(denial), '', 2, /--trust/],
    ['no file named', verify('--trust', trustFile), '', 2, /missing required argument/],
    ['a file that is not there', verify(`${denial}x`, '--trust', trustFile), '', 3, /cannot be read/],
    ['a trust file that is none', verify(denial, '--trust', denial), '', 3, /not a trust file/],
    ['bytes that are no text', verify('-', '--trust', trustFile), Buffer.of(0xff), 3, /not UTF-8/],
    ['nothing to show', ['receipt', 'show', '-'], '{}', 1, /no receipt/],
  ]; // prettier-ignore
  for (const [name, args, input, status, said] of rows) {
    const ran = writ(args, input);
    t.equal(ran.status, status, name);
    t.match(ran.stdout + ran.stderr, said, name);
  }
  t.end();
});

t.test('a refusal that was not recorded is shown as such', (t) => {
  const { denial, trustFile } = evidence(t, { unrecorded: true });
  const { status, stdout } = writ(['receipt', 'verify', denial, '--trust', trustFile]);
  t.equal(status, 1, 'not everything is proven');
  t.match(
    stdout,
    /authentic +yes[^]*untampered +yes[^]*anchored +NO +the denial was answered without being recorded/,
  );
  t.end();
});

t.test('what is plainly no denial is named, beside the verdict', (t) => {
  const { trustFile, body } = evidence(t);
  const other = evidence(t);
  const rows: readonly (readonly [name: string, given: string, said: RegExp])[] = [
    ['nothing', '', /standard input: it is empty.*CONNECT/],
    ['with its head', `HTTP/1.1 403 Forbidden\r\n\r\n${body}`, /head of the response.*curl without -i/],
    ['a half', body.slice(0, 300), /it is not JSON, or not all of it/],
    ['another JSON', '{}', /it holds no receipt/],
    ['reformatted', JSON.stringify(JSON.parse(body), null, 2), /it was reformatted/],
    ['of another log', other.body, /claims to be of localhost\/writ\/.*trust\.json is of localhost\/writ\//],
  ];
  for (const [name, given, said] of rows) {
    const verified = writ(['receipt', 'verify', '-', '--trust', trustFile], given);
    t.match(verified, { status: 1, stderr: said }, name);
    t.equal(writ(['receipt', 'verify', '-', '--json', '--trust', trustFile], given).status, 1, name);
  }
  t.equal(
    writ(['receipt', 'verify', '-', '--trust', trustFile], body).stderr,
    '',
    'a good one needs no hint',
  );
  t.match(writ(['receipt', 'show', '-']), {
    status: 1,
    stderr: /no receipt in standard input\n.*it is empty/,
  });
  t.match(
    writ(['receipt', 'show', '-'], body).stdout,
    /means +Policy refused the call\nwhat now +The reasons name/,
  );
  t.match(writ(['receipt', 'verify', 'gone', '--trust', trustFile]), {
    status: 3,
    stderr: 'writ: gone cannot be read: there is no such file or folder\n',
  });
  t.end();
});

t.test('a receipt is shown without a verdict, and cannot steer the terminal', (t) => {
  const { denial } = evidence(t);
  const shown = writ(['receipt', 'show', denial]);
  t.match(shown.stdout, /^Not verified[^]*call +GET http:\/\/a\.example/);
  t.match(JSON.parse(writ(['receipt', 'show', denial, '--json']).stdout), { predicate: { verdict: 'deny' } });
  const call = { method: 'GET', origin: 'http://a', path: '/\u001b]0;x\u0007\u202e' };
  const hostile = evidence(t, { predicate: { call } });
  t.notMatch(writ(['receipt', 'show', hostile.denial]).stdout, /[\u001b\u0007\u202e]/);
  t.end();
});

t.test('a denial is held against a checkpoint that was kept', (t) => {
  const { denial, trustFile, log } = evidence(t);
  const store = openStore(log);
  store.append([callDraft('/later'), callDraft('/still')]);
  store.close();
  const folder = dirname(denial);
  const consistency = join(folder, 'consistency');
  const verify = (...options: readonly string[]): Ran =>
    writ(['receipt', 'verify', denial, '--trust', trustFile, ...options]);
  t.match(verify(), { status: 0, stdout: /\nappend-only +– +not checked: no other checkpoint/ });
  t.match(verify('--checkpoint', denial), {
    status: 0,
    stdout: /\nappend-only +yes +append-only from 9 to 9/,
  });
  const newer = ['--checkpoint', log.layout.checkpoint];
  t.match(verify(...newer), { status: 1, stdout: /\nappend-only +NO +.*a consistency proof between them/ });
  t.equal(writ(['lineage', 'consistency', '9', '-o', consistency, '--home', log.home]).status, 0);
  const both = verify(...newer, '--consistency', consistency);
  t.match(both, {
    status: 0,
    stdout: /\nappend-only +yes +append-only from 9 to 11[^]*the end: .* after 11 entries/,
  });
  const json = JSON.parse(verify(...newer, '--json').stdout) as object;
  t.match(json, { appendOnly: { code: 'consistency_missing' }, keysFrom: trustFile });
  t.match(verify('--consistency', consistency), { status: 2, stderr: /needs --checkpoint/ });
  t.end();
});

t.test('who cosigned is said, and with a quorum all are shown the same log', (t) => {
  const kept = (name: string): string => fileURLToPath(new URL(`../vectors/witnessed/${name}`, import.meta.url));
  const verify = (name: string, ...options: readonly string[]): Ran =>
    writ(['receipt', 'verify', kept(name), '--trust', kept('trust.json'), ...options]);
  const good = verify('denial.body', '--checkpoint', kept('5.checkpoint'), '--consistency', kept('5-to-9.consistency'));
  t.match(good, { status: 0, stdout: /\nanchored +yes .*cosigned by 2 of[^]*\nappend-only +yes .*from 5 to 9/ });
  t.match(good.stdout, /\ncosigned +by witness\.example\/a at 2026-01-02T03:04:15\.000Z, by its own clock\n/);
  t.notMatch(good.stdout, /everyone is shown/);
  t.match(verify('fresh.body'), { status: 1, stdout: /\nanchored +NO +too few/ });
  const swapped = verify('denial.body', '--checkpoint', kept('5.checkpoint'), '--consistency', kept('9-to-14.consistency'));
  t.match(swapped, { status: 1, stdout: /\nanchored +yes [^]*\nappend-only +NO/ });
  t.end();
}); // prettier-ignore

t.test('the log is shown, verified and proven from its files', (t) => {
  const { log, denial, trustFile, trust } = evidence(t);
  const home = ['--home', log.home];
  t.match(
    writ(['lineage', 'show', ...home]).stdout,
    /^entry +at +what +call +agent\n +0 .* genesis[^]*\n +8 .* deny policy_denied +GET /,
  );
  t.match(jsonLines(writ(['lineage', 'show', '--limit', '2', '--json', ...home])), [
    { seq: 7, vouched: true },
    { seq: 8, vouched: true, statement: {} },
  ]);
  t.match(jsonLines(writ(['lineage', 'show', '--from', '3', '-n', '1', '--json', ...home])), [{ seq: 3 }]);
  t.match(writ(['lineage', 'show', '8', ...home]).stdout, '"predicateType": "urn:writ:decision:v1"');
  t.equal(writ(['lineage', 'show', '9', ...home]).status, 1);
  t.equal(writ(['lineage', 'show', 'x', ...home]).status, 2);
  t.equal(writ(['trust', 'export', ...home]).stdout, trust, 'the trust file alone on standard output');
  t.equal(parseProof(writ(['lineage', 'prove', '8', ...home]).stdout)?.index, 8);
  t.match(writ(['lineage', 'prove', '9', ...home]), { status: 1, stderr: /no checkpoint covers/ });
  const good = writ(['lineage', 'verify', '--trust', trustFile, '--checkpoint', denial, ...home]);
  t.match(good, { status: 0, stdout: /^verified[^]*append-only from 9 to 9[^]*key from +.*trust\.json/ });
  t.match(writ(['lineage', 'verify', ...home]), {
    status: 0,
    stdout: /not proven +that nothing was cut off/,
  });
  t.match(writ(['lineage', 'verify', '--checkpoint', trustFile, ...home]), {
    status: 3,
    stderr: /no checkpoint in/,
  });
  t.match(writ(['lineage', 'verify', '--trust', denial, ...home]), { status: 3, stderr: /not a trust file/ });
  t.equal(writ(['lineage', 'verify', '--home', `${log.home}-none`]).status, 3);
  t.end();
});

t.test('a running log is shown up to its last batch', (t) => {
  const { log } = evidence(t);
  openStore(log).append([callDraft('/open')]);
  t.match(
    writ(['lineage', 'show', '--home', log.home]).stdout,
    /\/open[^]*the last 1 may not be durable yet/,
  );
  t.match(writ(['lineage', 'verify', '--home', log.home]), { status: 0, stdout: /open end +1 entries/ });
  t.end();
});

t.test('a damaged log is not verified, and the entry is named', (t) => {
  const { log, trustFile } = evidence(t);
  const path = segmentPath(log.layout.segments, 0);
  const bytes = readFileSync(path);
  const at = bytes.indexOf('"path":"/4"');
  bytes[at + 9] = 0x35;
  writeFileSync(path, bytes);
  t.match(writ(['lineage', 'verify', '--home', log.home]), { status: 1, stdout: /^log_damaged +entry 5\n/ });
  const json = writ(['lineage', 'verify', '--trust', trustFile, '--json', '--home', log.home]);
  t.match(JSON.parse(json.stdout), { ok: false, code: 'log_damaged', index: 5 });
  t.end();
});

t.test('an entry that should be there and cannot be read is never passed over', (t) => {
  const rows: [string, boolean, readonly string[], number, RegExp][] = [
    ['"log_key":', false, ['verify', '--json'], 1, /"ok": false,\s+"code": "log_damaged".*"index": 0/s],
    ['"log_key":', false, ['show', '0'], 3, /damaged at entry 0/],
    ['"path":"/4"', false, ['show'], 3, /damaged at entry 5/],
    ['"path":"/4"', false, ['show', '5'], 3, /damaged at entry 5/],
    ['"path":"/4"', true, ['show'], 3, /damaged at entry 5/],
    ['"path":"/4"', true, ['export'], 3, /damaged at entry 5/],
  ];
  for (const [where, indexed, args, status, said] of rows) {
    const { log } = evidence(t);
    if (indexed) new Catalogue({ layout: log.layout, origin: log.identity.origin }).close();
    const path = segmentPath(log.layout.segments, 0);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(where) + 9] = 0x35;
    writeFileSync(path, bytes);
    const ran = writ(['lineage', ...args, '--home', log.home]);
    const name = `${args.join(' ')} with ${where} changed, ${indexed ? 'found' : 'not found'} before`;
    t.equal(ran.status, status, name);
    t.match(ran.stdout + ran.stderr, said, name);
  }
  t.end();
});
