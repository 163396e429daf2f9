/** A sidecar and its witnesses: real processes, real servers, and every way in which the two can come apart. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { cosignatures } from '../../src/lineage/witness/cosignature.ts';
import type { Cosigner } from '../../src/lineage/witness/cosignature.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { formatNoteKey, noteKey } from '../../src/lineage/note.ts';
import { createWitnessMemory, WitnessFile } from '../../src/lineage/witness/memory.ts';
import { serveWitness } from '../../src/lineage/witness/server.ts';
import type { WitnessServer } from '../../src/lineage/witness/server.ts';
import { Witness } from '../../src/lineage/witness/witness.ts';
import { parseTrust } from '../../src/receipt/trust-file.ts';
import type { Trust } from '../../src/receipt/trust-file.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { callDraft, openStore, scratchLog } from '../lineage/scratch-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { ChildSidecar } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { makeHome } from './home.ts';
import type { TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { run } from './program.ts';

t.setTimeout(120_000);

const HELD = 'enough witnesses cosign';
const PENDING = 'quorum of witnesses pending';
const HALTED = 'no quorum of witnesses for too long: every call is denied';
const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));

/** A witness with a port of its own, which can be taken away and given back. */
class TestWitness {
  readonly cosigner: Cosigner;
  readonly memory: WitnessFile;
  #home: TestHome | undefined;
  #server: WitnessServer | undefined;
  #port = 0;

  constructor(t: Test, name: string) {
    const { key, sign } = loadSigner(newKey());
    this.cosigner = { key: noteKey(node, { name, type: 'witness', key }), sign };
    const path = join(scratchFolder(t), 'memory.db');
    createWitnessMemory(path);
    this.memory = new WitnessFile(path);
    t.teardown(async () => this.stop());
  }

  async start(): Promise<void> {
    const logs = () => (this.#home ? [readIdentity(layoutOf(this.#home.path)).logKey] : []);
    const { cosigner, memory } = this;
    const witness = new Witness({ suite: node, cosigner, memory, logs, clock: () => Date.now() });
    const service = { witness, memory, onAnswer: () => undefined, onFault: () => undefined };
    this.#server = await serveWitness(service, { host: '127.0.0.1', port: this.#port });
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** As it stands in the settings. */
  get address(): string {
    return `${formatNoteKey(this.cosigner.key)} http://127.0.0.1:${this.#port}`;
  }

  know(home: TestHome): void {
    this.#home = home;
  }
}

interface Setting {
  readonly home: TestHome;
  readonly witnesses: readonly TestWitness[];
  readonly origin: Awaited<ReturnType<typeof startOrigin>>;
}

/** A home whose settings name two witnesses that know its log. */
async function witnessed(t: Test, settings: object): Promise<Setting> {
  const witnesses = [new TestWitness(t, 'a.example'), new TestWitness(t, 'b.example')];
  for (const witness of witnesses) await witness.start();
  const origin = await startOrigin(t);
  const list = witnesses.map(({ address }) => address);
  const witness = { list, quorum: 2, interval_seconds: 1, ...settings };
  const home = await makeHome(t, { origins: [origin], settings: { witness } });
  for (const each of witnesses) each.know(home);
  return { home, witnesses, origin };
}

async function get(sidecar: ChildSidecar, path: string): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${sidecar.home.adminToken()}` };
  const reply = await fetch(`http://127.0.0.1:${sidecar.port('admin')}${path}`, { headers });
  return { status: reply.status, text: await reply.text() };
}

/** Asks until the answer is so. */
async function until(sidecar: ChildSidecar, path: string, test: (text: string, status: number) => boolean): Promise<string> {
  for (;;) {
    const { status, text } = await get(sidecar, path);
    if (test(text, status)) return text;
  }
} // prettier-ignore

function trustIn(text: string): Trust {
  const trust = parseTrust(node, text);
  if ('fault' in trust) throw new Error(trust.fault);
  return trust;
}

t.test('what is served, proven and trusted rests on the cosignatures of a quorum', async (t) => {
  const { home, witnesses, origin } = await witnessed(t, {});
  const sidecar = await ChildSidecar.start(t, home);
  const on = new Stage(sidecar, origin);
  await sidecar.says(HELD);
  await until(sidecar, '/readyz', (_, status) => status === 200);
  const trustText = (await get(sidecar, '/.well-known/writ/keys')).text;
  const trust = trustIn(trustText);
  t.match(trust, { witnesses: { length: 2 }, quorum: { kind: 'group', threshold: 2 } });
  const exported = await run(process.execPath, [BIN, 'trust', 'export', '--config', home.settingsFile]);
  t.equal(exported.stdout, trustText, 'as the command line exports it');
  const settings = home.entries().find(({ type }) => type === 'settings');
  t.strictSame((settings?.is['keys'] as { witnesses?: unknown }).witnesses, witnesses.map(({ cosigner }) => cosigner.key.key.id).sort()); // prettier-ignore

  const denial = await on.forward({ grant: '' });
  const { is } = assertDenied(t, home, { reply: denial, code: 'grant_missing' });
  const { seq } = is['entry'] as { seq: number };
  t.match(
    verifyDenial(node, denial.body, trust),
    { anchored: { code: 'witnesses_missing' } },
    'too new to be cosigned',
  );
  const covers = (text: string): boolean => (verifyCheckpoint(node, text, trust.logs)?.size ?? 0) > seq;
  const checkpoint = await until(sidecar, '/checkpoint', covers);
  t.equal(cosignatures(node, checkpoint, trust.witnesses)?.length, 2);
  const proof = (await get(sidecar, `/.well-known/writ/proof/${seq}`)).text;
  const proven = JSON.stringify({ ...(JSON.parse(denial.body) as object), proof });
  t.match(verifyDenial(node, proven, trust), { anchored: { proven: true } });

  const [body, file, later] = ['denial.json', 'trust.json', 'later.tlog-proof'].map((name) =>
    join(home.folder, name),
  );
  if (!body || !file || !later) throw new Error('no names');
  for (const [path, text] of [[body, denial.body], [file, trustText], [later, proof]] as const) writeFileSync(path, text); // prettier-ignore
  const verify = ['receipt', 'verify', body, '--trust', file];
  t.match(await run(process.execPath, [BIN, ...verify]), { exit: 1, stdout: /too few/ });
  t.match(await run(process.execPath, [BIN, ...verify, '--proof', later]), { exit: 0, stdout: /^authentic/ });

  const { witnesses: report } = JSON.parse((await get(sidecar, '/api/status')).text) as {
    witnesses: unknown;
  };
  t.match(report, {
    quorum: 'held',
    witnesses: [{ name: 'a.example', said: 'cosigned' }, { name: 'b.example' }],
  });
  t.match((await get(sidecar, '/metrics')).text, '\nwrit_witnesses{said="cosigned"} 2\n');
  await sidecar.stop();
  const kept = readFileSync(layoutOf(home.path).cosigned, 'utf8');
  t.equal(
    cosignatures(node, kept, trust.witnesses)?.length,
    2,
    'kept for the next start, and for the command line',
  );
  const offline = await run(process.execPath, [
    BIN,
    'lineage',
    'prove',
    String(seq),
    '--config',
    home.settingsFile,
  ]);
  t.ok(offline.stdout.includes('a.example'), 'which proves under it');
});

t.test('without a quorum it goes on and says so, and halts after the age it was told', async (t) => {
  const { home, witnesses, origin } = await witnessed(t, { halt_after_seconds: 5 });
  const [a, b] = witnesses;
  await b?.stop();
  const sidecar = await ChildSidecar.start(t, home);
  const on = new Stage(sidecar, origin);
  t.match(await sidecar.says(PENDING), { said: ['a.example: cosigned', 'b.example: unreachable'] });
  t.equal((await on.forward()).status, 200, 'calls pass');
  const ready = JSON.parse(await until(sidecar, '/readyz', (_, status) => status === 200)) as object;
  t.match(ready, { alarms: ['witness_quorum_pending'], parts: { witnesses: 'good' } });
  await sidecar.says(HALTED);
  assertDenied(t, home, { reply: await on.forward(), code: 'witness_overdue' });
  t.match(await get(sidecar, '/readyz'), { status: 503, text: /"witnesses":"bad"/ });
  await b?.start();
  await sidecar.says(HELD);
  await until(sidecar, '/readyz', (text, status) => status === 200 && text.includes('"alarms":[]'));
  t.equal((await on.forward()).status, 200, 'and passes again');

  await sidecar.kill();
  await a?.stop();
  await b?.stop();
  home.configure({ witness: { list: witnesses.map(({ address }) => address), quorum: 2, interval_seconds: 60, halt_after_seconds: 3600 } }); // prettier-ignore
  const next = await ChildSidecar.start(t, home);
  await next.says(PENDING);
  t.equal((await new Stage(next, origin).forward()).status, 200, 'an outage at the start is no other');
  await next.stop();
});

t.test('a home that was restored from a backup signs nothing', async (t) => {
  const { home, witnesses, origin } = await witnessed(t, {});
  const first = await ChildSidecar.start(t, home);
  await first.says(HELD);
  await first.stop();
  const backup = join(home.folder, 'backup');
  cpSync(home.path, backup, { recursive: true, verbatimSymlinks: true });
  const second = await ChildSidecar.start(t, home);
  await new Stage(second, origin).forward();
  await second.says(HELD);
  const size = home.entries().length;
  await until(second, '/checkpoint', (text) => Number(text.split('\n')[1]) >= size);
  await second.stop();
  rmSync(home.path, { recursive: true });
  cpSync(backup, home.path, { recursive: true, verbatimSymlinks: true });
  const before = home.entries().length;
  const restored = ChildSidecar.launch(t, home);
  t.match(await restored.exited, { code: 3 });
  const told = restored.lines.map(({ msg }) => msg).join('\n');
  t.match(told, /The witness [ab]\.example has cosigned \d+ entries of this log, which has only \d+/);
  t.match(told, /Restore the newest copy/);
  t.equal(home.entries().length, before, 'nothing was written');
  for (const witness of witnesses) await witness.stop();
  const alone = await ChildSidecar.start(t, home);
  await alone.says(PENDING);
  t.pass('with nobody to remember, nobody can tell');
  await alone.stop();
});

t.test('a second history is found out while it runs, and ends the process', async (t) => {
  const { home, witnesses, origin } = await witnessed(t, { quorum: 1 });
  const copy = join(home.folder, 'copy');
  cpSync(home.path, copy, { recursive: true, verbatimSymlinks: true });
  const other = scratchLog(copy);
  for (const witness of witnesses) await witness.stop();
  const sidecar = await ChildSidecar.start(t, home);
  await sidecar.says(PENDING);
  const store = openStore(other);
  store.append(Array.from({ length: 3 }, (_, i) => callDraft(`/elsewhere/${i}`)));
  const hidden = new Witness({ suite: node, cosigner: witnesses[0]?.cosigner as Cosigner, memory: witnesses[0]?.memory as WitnessFile, logs: () => [other.identity.logKey], clock: () => Date.now() }); // prettier-ignore
  t.equal(hidden.addCheckpoint(`old 0\n\n${store.head}`).status, 200, 'the copy went first');
  store.close();
  for (const witness of witnesses) await witness.start();
  const said = await sidecar.says('a witness contradicts the log');
  t.match(said, { witness: 'a.example', remembered: store.size });
  const reply = await new Stage(sidecar, origin).forward().catch(() => undefined);
  if (reply?.status === 403) assertDenied(t, home, { reply, code: 'witness_conflict' });
  t.match(await sidecar.exited, { code: 3 });
  const again = ChildSidecar.launch(t, home);
  t.match(await again.exited, { code: 3 }, 'and it does not start again');
});
