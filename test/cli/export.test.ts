/** Exports, held against the schema that they claim to follow, and what masks leave of them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { concatBytes, encodeUtf8 } from '../../src/crypto/bytes.ts';
import { sha256Hex } from '../../src/crypto/node.ts';
import { csvLine } from '../../src/cli/lineage/export-csv.ts';
import { InputKeeper } from '../../src/lineage/inputs.ts';
import { draft } from '../../src/lineage/statement.ts';
import { callDraft, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const ID = '00000000-0000-4000-8000-000000000001';
const SALT = Buffer.alloc(16, 7);
const INPUT = '{"call":{"method":"GET","headers":{"x-secret":["hush"]}},"time":{"unix_ms":1}}';
const RESULT = '{"allow":true,"obligations":[{"type":"max_seconds","value":30}],"reasons":[]}';

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function exported(home: string, format: string, ...flags: readonly string[]): Ran {
  const args = [BIN, 'lineage', 'export', '--home', home, '--format', format, ...flags];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: {} });
}

const lines = ({ stdout }: Ran): readonly Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Genesis, a permit with its input and outcome, a denial, an unreadable target, an open permit, a grant, a gap. */
async function log(folder: string): Promise<ScratchLog> {
  const made = makeScratchLog(folder);
  const store = openStore(made);
  const digest = sha256Hex(concatBytes(SALT, encodeUtf8(INPUT)));
  const grant = { chain: [{ digest: '00', jti: 'j', key: 'k' }], expires: 1, iss: 'i', sub: '=cmd|agent' };
  const policy = { data: '00', entrypoint: 'writ/decision', revision: 'r1', wasm: '00' };
  const replay = { input: digest, now: '2026-01-02T03:04:05.678Z', result: sha256Hex(RESULT) };
  store.append([callDraft('/a', { grant, policy, replay, evaluated: true })]);
  store.append([
    draft('outcome', ID, {
      dialled: '127.0.0.1:1', duration_ms: 12, ended: 'complete', permit: 1, status: 200,
      request: { bytes: 3, sha256: '00', sha3_512: '00' }, response: { bytes: 4, sha256: '00', sha3_512: '00' },
    }), // prettier-ignore
  ]);
  store.append([
    callDraft('/b', {
      verdict: 'deny',
      code: 'policy_denied',
      reasons: ['no_b'],
      grant,
      policy,
      replay: { ...replay, input: '11', result: '22' },
    }),
  ]);
  store.append([
    callDraft('', { verdict: 'deny', code: 'path_ambiguous', call: { method: 'invalid', target: '00' } }),
  ]);
  store.append([callDraft('/open', { grant })]);
  store.append([draft('grant', ID, { expires: 1, iss: 'urn:a', jti: 'j', sub: 'agent:a' })]);
  store.append([draft('gap', ID, { cause: 'unclean stop', recovered: 0 })]);
  store.close();
  const keeper = new InputKeeper({
    ...{ folder: made.layout.inputs, maxBytes: 1e9, roomBytes: 0 },
    after: () => () => undefined,
    onLost: (_, why) => t.fail(why),
  });
  keeper.keep(1, { digest, salt: SALT, inputs: [INPUT], result: RESULT });
  await keeper.close();
  return made;
}

interface Attribute {
  readonly type: string;
  readonly required?: true;
  readonly enum?: readonly unknown[];
}
interface Shape {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly constraints?: { readonly at_least_one?: readonly string[] };
}
interface Schema {
  readonly version: string;
  readonly classes: Readonly<Record<string, Shape>>;
  readonly objects: Readonly<Record<string, Shape>>;
}

/** Names, types, enumerations and requirements of the classes that are used, drawn from the published schema. */
const schema = JSON.parse(
  readFileSync(new URL('../vectors/ocsf-1.6.0.json', import.meta.url), 'utf8'),
) as Schema; // our own file
const CLASSES: Readonly<Record<string, string>> = {
  4002: 'http_activity',
  6003: 'api_activity',
  0: 'base_event',
};

/** Every way in which a value is not of its shape. */
function faults(value: unknown, shape: Shape | undefined, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null || !shape) return [`${path} is no object of the schema`];
  const { attributes, constraints } = shape;
  const required = Object.keys(attributes).filter((name) => attributes[name]?.required && !(name in value));
  const oneOf = constraints?.at_least_one;
  return [
    ...required.map((name) => `${path}.${name} is missing`),
    ...(oneOf && !oneOf.some((name) => name in value) ? [`${path} has none of ${oneOf.join(', ')}`] : []),
    ...Object.entries(value).flatMap(([name, member]) =>
      attributeFaults(member, attributes[name], `${path}.${name}`),
    ),
  ];
}

function attributeFaults(value: unknown, attribute: Attribute | undefined, path: string): readonly string[] {
  if (!attribute) return [`${path} is not in the schema`];
  const { type } = attribute;
  if (type.startsWith('[]')) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((item) => attributeFaults(item, { type: type.slice(2) }, path));
  }
  if (type === 'object') return typeof value === 'object' ? [] : [`${path} is no object`];
  if (!type.endsWith('_t')) return faults(value, schema.objects[type], path);
  const wanted = /^(integer|long|timestamp|port)_t$/.test(type) ? 'number' : 'string';
  if (typeof value !== wanted) return [`${path} is no ${type}`];
  return attribute.enum && !attribute.enum.includes(value) ? [`${path} is none of its values`] : [];
}

t.test('OCSF events have what the schema requires, and nothing that it does not know', async (t) => {
  const { home } = await log(scratchFolder(t));
  const events = lines(exported(home, 'ocsf'));
  t.equal(events.length, 7, 'an outcome is part of its permit');
  for (const event of events) {
    const name = CLASSES[String(event['class_uid'])] ?? '';
    t.strictSame(faults(event, schema.classes[name], name), []);
    t.equal(event['type_uid'], Number(event['class_uid']) * 100 + Number(event['activity_id']));
    t.match(event, { metadata: { version: schema.version } });
  }
  t.match(events[1], {
    class_uid: 4002, activity_id: 3, action_id: 1, status_id: 1, http_response: { code: 200 },
    traffic: { bytes: 7, bytes_in: 4, bytes_out: 3 }, dst_endpoint: { ip: '127.0.0.1', port: 1 },
    authorizations: [{ decision: 'allow', policy: { version: 'r1' } }],
  }); // prettier-ignore
  t.match(events[2], {
    action_id: 2,
    status_id: 2,
    status_code: 'policy_denied',
    http_response: { code: 403 },
  });
  t.match(events[4], { action_id: 1, status_id: 0 }, 'an open permit is no success');
  t.notOk(
    faults({ ...events[1], http_request: undefined, x: 1 }, schema.classes['http_activity'], '').length === 0,
  );
});

t.test('OPA’s events hold input and whole result, and masks take out what they name', async (t) => {
  const { home } = await log(scratchFolder(t));
  const [permit, denial, ...others] = lines(exported(home, 'opa-decision-log'));
  t.strictSame(others, []);
  t.match(permit, {
    decision_id: '00000000-0000-4000-8000-000000000000',
    bundles: { writ: { revision: 'r1' } },
    path: 'writ/decision',
    input: JSON.parse(INPUT) as object,
    result: JSON.parse(RESULT) as object,
    timestamp: '2026-01-02T03:04:05.678Z',
  });
  t.match(denial, { result: { allow: false, reasons: ['no_b'] }, custom: { writ: { entry: 3 } } });
  const [erased] = lines(
    exported(home, 'opa-decision-log', '--mask', '/input/call/headers', '--mask', '/input/none'),
  );
  t.match(erased, { erased: ['/input/call/headers'], input: { call: { method: 'GET' } } });
  t.notMatch(JSON.stringify(erased), 'hush');

  const file = join(home, 'mask.rego');
  writeFileSync(
    file,
    `package system.log

mask contains {"op": "upsert", "path": "/input/call/headers/x-secret", "value": "***"} if input.input.call.headers

mask contains "/result" if not input.input
`,
  );
  const [changed, bare] = lines(exported(home, 'opa-decision-log', '--mask-policy', file));
  t.match(changed, {
    masked: ['/input/call/headers/x-secret'],
    input: { call: { headers: { 'x-secret': '***' } } },
  });
  t.match(bare, { erased: ['/result'] });
  t.notOk(bare && 'result' in bare);
  for (const rego of ['package system.log', 'package system.log\nmask contains "/labels"', 'nonsense']) {
    writeFileSync(file, rego);
    t.match(exported(home, 'opa-decision-log', '--mask-policy', file), { status: 3, stdout: '' }, rego);
  }
  for (const path of ['input', '/', '/labels', '/input/%zz', ''])
    t.match(exported(home, 'opa-decision-log', '--mask', path), { status: 2, stdout: '' }, path);
});

t.test('what was exported unmasked can be evaluated again elsewhere, what was masked says so', async (t) => {
  const { home, layout } = await log(scratchFolder(t));
  const [whole, masked] = [join(home, 'whole.jsonl'), join(home, 'masked.jsonl')];
  writeFileSync(whole, '', { mode: 0o644 });
  t.match(exported(home, 'opa-decision-log', '-o', whole), {
    status: 0,
    stdout: '',
    stderr: /^2 written to /,
  });
  t.equal(statSync(whole).mode & 0o777, 0o600);
  exported(home, 'opa-decision-log', '-o', masked, '--mask', '/input/call');
  writeFileSync(join(layout.inputs, '0000000000000001.jsonl'), '');
  const replay = (file: string): string => {
    const args = [BIN, 'lineage', 'replay', '--home', home, '--verdict', 'permit', '--inputs', file];
    return spawnSync(process.execPath, args, { encoding: 'utf8', env: {} }).stdout;
  };
  t.match(replay(whole), /1 × policy r1 is not kept/, 'the input is there, only the policy is not');
  t.match(replay(masked), /masked +1\n/);
});

t.test('no cell of a CSV file becomes a formula, a line or a second cell', async (t) => {
  const { home } = await log(scratchFolder(t));
  const { stdout } = exported(home, 'csv', '--mask', '/path');
  t.match(stdout, /^seq,at,kind,verdict,code,.*\r\n/);
  t.match(
    stdout,
    /\r\n1,2026-01-02T03:04:05\.678Z,decision,permit,,,"'=cmd\|agent",j,GET,http:\/\/127\.0\.0\.1:1,,r1,,200,3,4,12,complete,/,
  );
  const rows: [unknown, string][] = [
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@x', `"'@x"`],
    [' =1', `"' =1"`],
    ['＝1', `"'＝1"`],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a\r\nb', 'a\\u{d}\\u{a}b'],
    ['\t=1', '\\u{9}=1'],
    [7, '7'],
    [undefined, ''],
  ];
  for (const [value, wanted] of rows)
    t.equal(csvLine({ seq: value }), `${wanted}${','.repeat(18)}\r\n`, String(value));
  t.match(lines(exported(home, 'jsonl', '--kind', 'gap')), [
    { seq: 7, statement: { predicate: { recovered: 0 } } },
  ]);
  t.equal(exported(home, 'xml').status, 2);
});
