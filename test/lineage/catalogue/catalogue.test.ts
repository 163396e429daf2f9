import { cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { Catalogue } from '../../../src/lineage/catalogue/catalogue.ts';
import type { EntryFilter } from '../../../src/lineage/filter.ts';
import { listSegments, segmentPath } from '../../../src/lineage/layout.ts';
import { draft } from '../../../src/lineage/statement.ts';
import type { Draft } from '../../../src/lineage/statement.ts';
import { Store } from '../../../src/lineage/store.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore, scratchLog } from '../scratch-log.ts';
import type { ScratchLog } from '../scratch-log.ts';

const ID = '00000000-0000-4000-8000-000000000000';

interface Decision {
  readonly verdict?: string;
  readonly code?: string;
  readonly sub?: string;
  readonly origin?: string;
  readonly revision?: string;
  readonly chain?: readonly string[];
}

function decision({
  sub = 'agent:a',
  origin = 'https://a.example',
  revision = 'r1',
  ...more
}: Decision = {}): Draft {
  const { verdict = 'permit', code, chain = ['root'] } = more;
  return callDraft('/', {
    call: { content: null, headers: '00', method: 'GET', origin, path: '/' },
    grant: { chain: chain.map((jti) => ({ digest: '00', jti, key: 'k' })), expires: 1, iss: 'i', sub },
    policy: { data: '00', entrypoint: 'writ/decision', revision, wasm: '00' },
    verdict,
    ...(code !== undefined && { code }),
  });
}

const outcome = (permit: number, by?: string): Draft =>
  draft('outcome', ID, { duration_ms: 1, ended: by ? 'cut' : 'complete', permit, ...(by && { by }) });

/** Entries 1 to 8, a second apart; two in the first batch. */
const ENTRIES: readonly (readonly Draft[])[] = [
  [decision(), decision({ verdict: 'deny', code: 'policy_denied' })],
  [decision({ sub: 'agent:b', chain: ['root', 'child'] })],
  [outcome(1)],
  [outcome(3, 'lease_revoked')],
  [decision({ origin: 'https://api.b.example:8443', revision: 'r2', chain: ['root', 'child', 'leaf'] })],
  [decision({ origin: 'http://[::1]:1', verdict: 'deny', code: 'scope_host', chain: ['other'] })],
  [draft('grant', ID, { expires: 1, jti: 'leaf', sub: 'agent:c' })],
];

/** A log of nine entries, written batch by batch. */
function smallLog(folder: string): ScratchLog {
  const log = makeScratchLog(folder);
  let now = NOW;
  const store = new Store({
    ...log,
    logKey: log.identity.logKey,
    clock: () => (now += 1000),
    segmentBytes: 4000,
    segmentSeconds: 86_400,
  });
  for (const drafts of ENTRIES) store.append(drafts);
  store.close();
  return log;
}

function open({ layout, identity }: ScratchLog): Catalogue {
  return new Catalogue({ layout, origin: identity.origin });
}

/** The numbers of what is found. What is found must be readable. */
function seqs(catalogue: Catalogue, filter: EntryFilter = {}, limit = 100): readonly number[] {
  const found = catalogue.find(filter, { limit });
  for (const each of found)
    if (!Buffer.from(catalogue.read(each) ?? []).includes(`"seq":${each.seq}}`))
      throw new Error(`${each.seq}`);
  return found.map(({ seq }) => seq);
}

/** What a new catalogue of this log finds. */
function foundIn(log: ScratchLog, filter: EntryFilter = {}): readonly number[] {
  const catalogue = open(log);
  try {
    return seqs(catalogue, filter);
  } finally {
    catalogue.close();
  }
}

const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8];

t.test('entries are found by what they say, and what closes a call with the call', (t) => {
  const catalogue = open(smallLog(scratchFolder(t)));
  const rows: [string, EntryFilter, readonly number[]][] = [
    ['nothing asked', {}, ALL],
    ['verdict', { verdict: 'permit' }, [1, 3, 6]],
    ['code of a denial', { code: 'policy_denied' }, [2]],
    ['code that cut a call', { code: 'lease_revoked' }, [5]],
    ['kind', { kind: 'genesis' }, [0]],
    ['agent', { agent: 'agent:b' }, [3, 5]],
    ['agent of a grant that was issued', { agent: 'agent:c' }, [8]],
    ['host', { host: 'a.example' }, [1, 2, 3, 4, 5]],
    ['host without its port', { host: 'api.b.example' }, [6]],
    ['hosts below a name', { host: '*.b.example' }, [6]],
    ['hosts below a name, not the name', { host: '*.a.example' }, []],
    ['an address', { host: '[::1]' }, [7]],
    ['a root grant with all below it', { grant: 'root' }, [1, 2, 3, 4, 5, 6]],
    ['a delegated grant', { grant: 'child' }, [3, 5, 6]],
    ['a leaf, and where it was issued', { grant: 'leaf' }, [6, 8]],
    ['revision', { revision: 'r2' }, [6]],
    ['since', { since: NOW + 6000 }, [7, 8]],
    ['until', { until: NOW + 2000 }, [0, 1, 2]],
    ['all of it', { since: NOW, verdict: 'deny', agent: 'agent:a', host: 'a.example' }, [2]],
    ['text that would be SQL', { agent: "' OR 1=1 --", host: "*.x' OR '1'='1" }, []],
  ];
  for (const [name, filter, wanted] of rows) t.strictSame(seqs(catalogue, filter), wanted, name);
  t.strictSame(
    catalogue.find({}, { limit: 2, newest: true }).map(({ seq }) => seq),
    [7, 8],
    'the last ones',
  );
  t.strictSame(
    catalogue.find({}, { from: 3, limit: 2 }).map(({ seq }) => seq),
    [3, 4],
    'the first ones from 3 on',
  );
  t.strictSame(catalogue.outcomeOf(1)?.seq, 4);
  t.strictSame(catalogue.outcomeOf(6), undefined);
  catalogue.close();
  t.end();
});

t.test('a grant is shown with what was delegated from it', (t) => {
  const catalogue = open(smallLog(scratchFolder(t)));
  const leaf = { jti: 'leaf', permits: 1, denials: 0, children: [] };
  const child = { jti: 'child', permits: 1, denials: 0, children: [leaf] };
  t.strictSame(catalogue.grantTree('root'), { jti: 'root', permits: 1, denials: 1, children: [child] });
  t.strictSame(catalogue.grantTree('child'), child);
  t.strictSame(catalogue.grantTree('nobody'), { jti: 'nobody', permits: 0, denials: 0, children: [] });
  catalogue.close();
  t.end();
});

t.test('readers bring it up to date, with whole batches only', (t) => {
  const log = smallLog(scratchFolder(t));
  const catalogue = open(log);
  const store = openStore(log);
  store.append([decision({ sub: 'agent:new' })]);
  t.strictSame(seqs(catalogue, { agent: 'agent:new' }), [], 'not before it looks again');
  t.equal(catalogue.refresh(), 10);
  t.strictSame(seqs(catalogue, { agent: 'agent:new' }), [9]);
  fill(store, 3, 3);
  const path = listSegments(log.layout.segments).at(-1)?.path ?? '';
  truncateSync(path, statSync(path).size - 1);
  t.equal(catalogue.refresh(), 10, 'a batch that is being written is not there yet');
  catalogue.close();
  t.end();
});

t.test('whatever is wrong with its file, it is made anew', (t) => {
  const log = smallLog(scratchFolder(t));
  const other = smallLog(scratchFolder(t));
  t.strictSame(foundIn(other), ALL);
  const { catalogue: path } = log.layout;
  const edit = (sql: string) => (): void => {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  };
  const rows: [string, () => void][] = [
    ['deleted', () => rmSync(path)],
    ['empty', () => truncateSync(path)],
    ['garbage', () => writeFileSync(path, 'garbage '.repeat(1000))],
    ['cut', () => truncateSync(path, 5000)],
    ['zeros in the middle', () => writeFileSync(path, readFileSync(path).fill(0, 4096, 20_000))],
    ['of another log', () => cpSync(other.layout.catalogue, path)],
    ['of another format', edit('UPDATE state SET format = 99')],
    ['another table', edit('DROP TABLE entries; CREATE TABLE entries (x)')],
    ['more than the log has', edit('UPDATE state SET size = 1000')],
    ['another last entry', edit("UPDATE state SET last = '00'")],
    ['a folder', () => (rmSync(path), mkdirSync(path))],
  ];
  for (const [name, spoil] of rows) {
    t.strictSame(foundIn(log), ALL, `good before: ${name}`);
    spoil();
    t.strictSame(foundIn(log), ALL, name);
    t.strictSame(foundIn(log, { host: 'api.b.example' }), [6], name);
  }
  t.end();
});

t.test('places are only a hint', (t) => {
  const log = smallLog(scratchFolder(t));
  const catalogue = open(log);
  const database = new DatabaseSync(log.layout.catalogue);
  for (const [segment, offset] of [
    [0, 3],
    [0, 1e9],
    [77, 0],
    [0, 0],
  ]) {
    database.exec(`UPDATE entries SET segment = ${segment}, offset = ${offset}`);
    t.strictSame(seqs(catalogue), ALL, `${segment}, ${offset}`);
  }
  database.close();
  catalogue.close();
  t.end();
});

t.test('a log whose end was lost in a crash is not shown as it was before', (t) => {
  const log = smallLog(scratchFolder(t));
  const copy = join(scratchFolder(t), 'copy');
  cpSync(log.home, copy, { recursive: true });
  const before = openStore(log);
  before.append([decision({ sub: 'agent:lost' })]);
  before.append([decision({ sub: 'agent:lost' })]);
  t.strictSame(foundIn(log, { agent: 'agent:lost' }), [9, 10]);
  cpSync(log.layout.catalogue, join(copy, 'catalogue.sqlite'));
  const crashed = scratchLog(copy);
  t.strictSame(foundIn(crashed), ALL, 'a shorter log');
  const after = openStore(crashed);
  after.append([decision({ sub: 'agent:other' })]);
  after.append([decision({ sub: 'agent:other' })]);
  cpSync(log.layout.catalogue, join(copy, 'catalogue.sqlite'));
  t.strictSame(foundIn(crashed, { agent: 'agent:lost' }), [], 'a log that went on otherwise');
  t.strictSame(foundIn(crashed, { agent: 'agent:other' }), [9, 10]);
  t.end();
});

t.test('a segment that breaks off before the last one is damage, not the end', (t) => {
  const log = smallLog(scratchFolder(t));
  const path = segmentPath(log.layout.segments, 0);
  truncateSync(path, statSync(path).size - 1);
  t.throws(() => open(log), { code: 'log_damaged' });
  t.end();
});

t.test('only its owner reads it', (t) => {
  const log = smallLog(scratchFolder(t));
  open(log).close();
  t.equal(statSync(log.layout.catalogue).mode & 0o777, 0o600);
  t.end();
});

t.test('a tunnel to an address is found by the host that its calls are found by', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  store.append([draft('tunnel', ID, { grant: null, host: '::1', port: 443, settings: 1 })]);
  store.append([decision({ origin: 'https://[::1]' })]);
  store.close();
  t.strictSame(foundIn(log, { host: '[::1]' }), [1, 2]);
  t.end();
});
