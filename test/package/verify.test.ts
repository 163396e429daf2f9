import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { chromium } from 'playwright-core';
import { node } from '../../src/crypto/node.ts';
import { verifyFork } from '../../src/lineage/witness/fork.ts';
import { certificatesIn } from '../../src/lineage/timestamp/certificate.ts';
import { verifyTimestamp } from '../../src/lineage/timestamp/timestamp.ts';
import type { TimestampClaim } from '../../src/lineage/timestamp/timestamp.ts';
import type { TimestampOutcome } from '../../src/lineage/timestamp/fault.ts';
import { existedBefore } from '../../src/receipt/existed.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import { verifyCheckpoint } from '../../src/receipt/verify-checkpoint.ts';
import { verifyDenial, verifyInclusion, verifyReceipt } from '../../src/receipt/verify.ts';
import * as verifier from '../../src/receipt/verifier.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { readVectors, VECTORS as STAMP_VECTORS } from '../lineage/timestamp-vectors.ts';
import type { StampVector } from '../lineage/timestamp-vectors.ts';
import { runTool, unlessInstalled } from '../third-party/tool.ts';
import { examplePage, examples } from './examples.ts';
import { compile, installPackage } from './installed.ts';
import { serveFolder } from './serve-folder.ts';

t.setTimeout(120_000);

type Verifier = typeof verifier;

/** What the page gives back. */
interface InChromium {
  readonly verdicts: object;
  readonly signatures: readonly boolean[];
  readonly stamps: readonly string[];
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The same questions, put to `node:crypto`. */
const onNode: Verifier = {
  readTrust: (text, from) => parseTrust(node, text, from),
  verifyDenial: (body, trust, remembered) => verifyDenial(node, body, { ...trust, remembered }),
  verifyReceipt: (given, trust, remembered) => verifyReceipt(node, given, { ...trust, remembered }),
  verifyInclusion: (given, trust, remembered) => verifyInclusion(node, given, { ...trust, remembered }),
  verifyCheckpoint: (text, trust, remembered) => verifyCheckpoint(node, text, { ...trust, remembered }),
  verifyConsistency: verifier.verifyConsistency,
  verifyFork: (text, trust) => {
    const found = verifyFork(node, text, trust.logs);
    if ('fault' in found) return found;
    const { first, second } = found.fork;
    return { origin: first.origin, sizes: [first.size, second.size] };
  },
  existedBefore: (verdict, { response, roots, policy }, remembered) =>
    existedBefore(verdict, {
      ...{ response, policy, roots: certificatesIn(roots) },
      remembered: remembered?.checkpoint,
    }),
};

const VECTORS = fileURLToPath(new URL('../vectors/ed25519.json', import.meta.url));
const noChromium = unlessInstalled('chromium', '--version');
const work = installPackage(scratchFolder(t));

t.test('the examples run where nothing but the package is installed', (t) => {
  const all = examples();
  t.equal(all.length, 5);
  for (const [i, { program, prints }] of all.entries()) {
    writeFileSync(join(work, `example-${i}.mjs`), program);
    const ran = spawnSync(process.execPath, [`example-${i}.mjs`], { cwd: work, encoding: 'utf8', env: {} });
    t.equal(ran.stderr, '', `example ${i}`);
    t.equal(ran.stdout, prints, `example ${i}`);
  }
  t.end();
});

t.test('its types are good for a strict compiler that knows neither Node nor a browser', (t) => {
  const lines = (second: string): string => `
    import { readTrust, verifyDenial } from 'writ/verify';
    import type { EntryVerdict, TrustedKeys } from 'writ/verify';
    export function judge(body: string, trust: TrustedKeys): EntryVerdict { return verifyDenial(body, trust); }
    const trust = readTrust('{}', 'nowhere');
    ${second}`;
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022', '--module', 'nodenext'];
  const check = (second: string) => {
    writeFileSync(join(work, 'judge.mts'), lines(second));
    return compile([...options, 'judge.mts'], work);
  };
  t.match(check(`export const fault: string = 'fault' in trust ? trust.fault : judge('', trust).keysFrom;`), { ok: true, out: '' });
  t.match(check(`export const wrong: number = judge('', trust).keysFrom;`), { ok: false, out: /TS2345/ }, 'and bad for a mistake');
  t.end();
}); // prettier-ignore

t.test('nothing else of the package can be imported, and nothing else is needed', (t) => {
  const run = (program: string): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: work, encoding: 'utf8', env: {} }).stderr;
  t.equal(run(`import 'writ/verify'`), '');
  t.match(run(`import 'writ'`), 'ERR_PACKAGE_PATH_NOT_EXPORTED');
  t.match(run(`import 'writ/dist/crypto/node.js'`), 'ERR_PACKAGE_PATH_NOT_EXPORTED');
    const needed = ['@noble', '@peculiar', 'asn1js', 'bytestreamjs', 'canonicalize', 'pkijs', 'writ'];
  t.strictSame(readdirSync(join(work, 'node_modules')).sort(), needed);
  t.end();
}); // prettier-ignore

/** Every verdict on the evidence, by this implementation of the verifier; runs in Node and, as text, in Chromium. */
async function everyVerdict(
  verifier: Verifier,
  bytes: (name: string) => Promise<Uint8Array>,
): Promise<object> {
  const read = async (name: string): Promise<string> => new TextDecoder().decode(await bytes(name));
  const trust = verifier.readTrust(await read('trust.json'), 'the test');
  if ('fault' in trust) throw new Error(trust.fault);
  const denial = await read('denial.body');
  const [old, proof] = [await read('5.checkpoint'), await read('5-to-9.consistency')];
  const given = { receipt: await read('3.receipt'), proof: await read('3.tlog-proof') };
  const entry = await bytes('3.entry');
  const response = await bytes('14.tsr');
  const roots = await read('tsa-roots.pem');
  const remembered = {
    checkpoint: await read('14.checkpoint'),
    consistency: await read('9-to-14.consistency'),
  };
  const found = verifier.verifyDenial(denial, trust, remembered);
  const flipped = denial.replace('"payload":"eyJf', '"payload":"eyJg');
  return {
    denial: verifier.verifyDenial(denial, trust, { checkpoint: old, consistency: proof }),
    flipped: verifier.verifyDenial(flipped, trust),
    shown: verifier.verifyDenial(denial.replace('Policy refused', 'Policy allowed'), trust),
    fresh: verifier.verifyDenial(await read('fresh.body'), trust),
    checkpoint: verifier.verifyCheckpoint(await read('14.checkpoint'), trust),
    uncosigned: verifier.verifyCheckpoint((await read('14.checkpoint')).replace(/— witness[^]*/, ''), trust),
    consistency: verifier.verifyConsistency({ old, proof }, trust),
    inconsistent: verifier.verifyConsistency({ old, proof: await read('9-to-14.consistency') }, trust),
    receipt: verifier.verifyReceipt(given, trust),
    inclusion: verifier.verifyInclusion({ entry, proof: given.proof }, trust),
    existed: await verifier.existedBefore(found, { response, roots }, remembered),
    unrelated: await verifier.existedBefore(found, { response, roots }),
    unbelieved: await verifier.existedBefore(found, { response, roots: '' }, remembered),
    otherwise: await verifier.existedBefore(found, { response, roots, policy: '1.2.3.4.2' }, remembered),
    log: await verifier.existedBefore(verifier.verifyCheckpoint(remembered.checkpoint, trust), {
      response,
      roots,
    }),
    fork: verifier.verifyFork(await read('fork.json'), trust),
  };
}

type Judge = (response: Uint8Array, claim: TimestampClaim) => Promise<TimestampOutcome>;

/** Every vector, and a good one with every seventh byte changed; runs in Node and, as text, in Chromium. */
async function everyTimestamp(
  { verify, certificatesIn }: { verify: Judge; certificatesIn: (pem: string) => TimestampClaim['roots'] | undefined },
  vectors: readonly StampVector[],
): Promise<readonly string[]> {
  const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const judge = async (response: Uint8Array, { data, nonce, roots }: StampVector): Promise<string> =>
    JSON.stringify(await verify(response, { data: bytes(data), nonce: bytes(nonce), roots: certificatesIn(roots) ?? [] }));
  const said: string[] = [];
  for (const vector of vectors) said.push(await judge(bytes(vector.response), vector));
  for (const vector of vectors.filter(({ name }) => name === 'good')) {
    const response = bytes(vector.response);
    for (let at = 0; at < response.length; at += 7) {
      const changed = response.map((byte, i) => (i === at ? byte ^ (at % 2 === 0 ? 0x01 : 0x80) : byte));
      said.push(await judge(changed, vector));
    }
  }
  return said;
} // prettier-ignore

t.test('Chromium reaches Node’s verdicts by the same files', { skip: noChromium }, async (t) => {
  writeFileSync(join(work, 'index.html'), examplePage());
  copyFileSync(VECTORS, join(work, 'ed25519.json'));
  copyFileSync(STAMP_VECTORS, join(work, 'timestamps.json'));
  const site = await serveFolder(t, work);
  const browser = await chromium.launch({ executablePath: runTool('which', ['chromium']).out.trim(), args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', ({ message }) => faults.push(message));
  page.on('request', (request) => request.url().startsWith(site) || faults.push(request.url()));
  await page.goto(site);
  await page.getByText('appendOnly').waitFor();
  t.match(await page.locator('#answers').textContent(), /^authentic true[^]*untampered true[^]*anchored true[^]*appendOnly false/, 'the page of the documentation');

  const script = `(async () => {
    const everyVerdict = ${everyVerdict.toString()};
    const everyTimestamp = ${everyTimestamp.toString()};
    const read = async (name) => (await fetch(name)).text();
    const readBytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
    const loaded = () => performance.getEntriesByType('resource').map(({ name }) => name);
    const { loadPublicKey } = await import('/node_modules/writ/dist/crypto/key.js');
    const { noble } = await import('/node_modules/writ/dist/crypto/noble.js');
    const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));
    const signatures = JSON.parse(await read('ed25519.json')).map(({ key, message, signature }) => {
      const loaded = loadPublicKey(bytes(key));
      return loaded !== undefined && noble.verify(loaded, bytes(message), bytes(signature));
    });
    const before = loaded();
    const verdicts = await everyVerdict(await import('writ/verify'), readBytes);
    const { verifyTimestamp: verify } = await import('/node_modules/writ/dist/lineage/timestamp/timestamp.js');
    const { certificatesIn } = await import('/node_modules/writ/dist/lineage/timestamp/certificate.js');
    const stamps = await everyTimestamp({ verify, certificatesIn }, JSON.parse(await read('timestamps.json')));
    return { verdicts, signatures, stamps, before, after: loaded() };
  })()`;
  const { verdicts, signatures, stamps, before, after } = await page.evaluate<InChromium>(script);
  t.strictSame(faults, [], 'no fault, and nothing asked elsewhere');
  const inNode = await everyVerdict(onNode, (name) => readFile(join(work, name)));
  t.strictSame(verdicts, JSON.parse(JSON.stringify(inNode)));
  t.match(inNode, {
    denial: { authentic: { proven: true }, untampered: { proven: true }, anchored: { proven: true }, appendOnly: { detail: 'append-only from 5 to 9 entries' } },
    flipped: { authentic: { code: 'receipt_bad_signature' } },
    shown: { untampered: { code: 'shown_changed' } },
    uncosigned: { witnessed: { code: 'witnesses_missing' } },
    inconsistent: { appendOnly: { code: 'consistency_wrong' } },
    existed: { proven: true, by: 'O=Example, CN=Test TSA', unproven: [/not revoked/] },
    unrelated: { code: 'timestamp_wrong_imprint' },
    unbelieved: { code: 'timestamp_no_roots' },
    otherwise: { code: 'timestamp_wrong_policy' },
    log: { proven: true },
    fork: { sizes: [12, 14] },
  }, 'and they are these');
  const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as readonly { valid: boolean }[];
  t.strictSame(signatures, vectors.map(({ valid }) => valid), 'every Ed25519 vector');
  t.strictSame(stamps, await everyTimestamp({ verify: verifyTimestamp, certificatesIn }, readVectors()), 'every timestamp, good and spoilt');
  t.notOk(before.some((url) => url.includes('pkijs')), 'X.509 is loaded');
  t.ok(after.some((url) => url.includes('pkijs')), 'only when it is asked for');
}); // prettier-ignore
