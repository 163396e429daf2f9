/** A sidecar, its command line and a time-stamping authority: real processes, a real server, OpenSSL behind it. */
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { layoutOf } from '../../src/lineage/layout.ts';
import { parseProof } from '../../src/lineage/proof.ts';
import { formatTrust } from '../../src/receipt/trust-file.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { serveAuthority, TestAuthority } from '../lineage/test-authority.ts';
import type { HttpAnswer } from '../lineage/test-authority.ts';
import { unlessInstalled } from '../third-party/tool.ts';
import { ChildSidecar } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { makeHome } from './home.ts';
import type { TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { run } from './program.ts';
import type { Ended } from './program.ts';

t.setTimeout(120_000);
const skip = unlessInstalled('openssl', 'version');
const BIN = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const HELD = 'checkpoints are timestamped';
const FAILED = 'checkpoints are not timestamped';

interface Scene {
  readonly authority: TestAuthority;
  readonly home: TestHome;
  readonly origin: Awaited<ReturnType<typeof startOrigin>>;
}

/** A home whose settings name an authority that answers so. */
async function scene(
  t: Test,
  answer: (authority: TestAuthority, query: Uint8Array) => HttpAnswer,
): Promise<Scene> {
  const authority = new TestAuthority(t);
  const { url } = await serveAuthority(t, (query) => answer(authority, query));
  const origin = await startOrigin(t);
  const policy_oid = '1.2.3.4.2';
  const timestamp = {
    url,
    roots: authority.path('root.pem'),
    policy_oid,
    interval_seconds: 3600,
    timeout_ms: 60_000,
  };
  const home = await makeHome(t, { origins: [origin], settings: { timestamp } });
  return { authority, home, origin };
}

async function get(sidecar: ChildSidecar, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${sidecar.home.adminToken()}` };
  return (await fetch(`http://127.0.0.1:${sidecar.port('admin')}${path}`, { headers })).text();
}

const writ = (...args: readonly string[]): Promise<Ended> => run(process.execPath, [BIN, ...args]);

t.test(
  'what the sidecar keeps, and what the command line makes, OpenSSL and we verify',
  { skip },
  async (t) => {
    const { authority, home, origin } = await scene(t, (authority, query) => ({
      body: authority.reply(query),
    }));
    const { timestamps: folder } = layoutOf(home.path);
    const sidecar = await ChildSidecar.start(t, home);
    const { size: kept } = await sidecar.says(HELD);
    const [checkpoint, response] = [`${String(kept)}.checkpoint`, `${String(kept)}.tsr`];
    t.strictSame(readdirSync(folder).sort(), [checkpoint, response]);
    t.ok(authority.verifies(join(folder, response), join(folder, checkpoint)), 'OpenSSL verifies it');
    t.notOk(authority.verifies(join(folder, response), join(folder, response)), 'over that checkpoint only');
    t.match(JSON.parse(await get(sidecar, '/api/status')), {
      timestamp: { said: 'granted', size: kept, by: 'CN=tsa', policy: '1.2.3.4.2' },
    });
    t.match(await get(sidecar, '/metrics'), `\nwrit_timestamp_entries ${String(kept)}\n`);
    t.match(JSON.parse(await get(sidecar, '/readyz')), { alarms: [] });

    const on = new Stage(sidecar, origin);
    const denial = await on.forward({ grant: '' });
    const { is } = assertDenied(t, home, { reply: denial, code: 'grant_missing' });
    const { seq } = is['entry'] as { seq: number };
    t.equal((await on.forward()).status, 200, 'and the log goes on');
    await sidecar.stop();
    const [body, trust, roots] = ['denial.json', 'trust.json', 'roots.pem'].map((name) =>
      join(home.folder, name),
    );
    if (!body || !trust || !roots) throw new Error('no names');
    const { receiptKey, logKey } = readIdentity(layoutOf(home.path));
    writeFileSync(body, denial.body);
    writeFileSync(trust, formatTrust(receiptKey, logKey));
    copyFileSync(authority.path('root.pem'), roots);
    const verify = ['receipt', 'verify', body, '--trust', trust];
    const own = parseProof((JSON.parse(denial.body) as { proof: string }).proof)?.checkpoint ?? '';
    const ownSize = own.split('\n')[1] ?? '';
    const from = ['--config', home.settingsFile];

    const now = JSON.parse((await writ('lineage', 'timestamp', '--json', ...from)).stdout) as { size: number; files: string[] }; // prettier-ignore
    const [newest = '', stamp = ''] = now.files;
    t.ok(now.size > seq && authority.verifies(stamp, newest), 'the command line’s own');
    const proof = join(home.folder, 'consistency');
    t.match(await writ('lineage', 'consistency', ownSize, String(now.size), '-o', proof, ...from), {
      exit: 0,
    });
    const given = ['--checkpoint', newest, '--timestamp', stamp, '--tsa-roots', roots];
    const policy = ['--tsa-policy', '1.2.3.4.2'];
    const good = await writ(...verify, ...given, ...policy, '--consistency', proof);
    t.match(good, { exit: 0, stdout: /^existed +yes +before \d{4}-.*Z according to CN=tsa$/m });
    t.match(good.stdout, /not proven +when it happened, but that it was before/);
    t.match(good.stdout, /not proven +that the authority.*was not revoked/);
    t.match(JSON.parse((await writ(...verify, ...given, '--consistency', proof, '--json')).stdout), { existed: { proven: true, by: 'CN=tsa' } }); // prettier-ignore

    authority.certify('other', { is: 'ca' });
    const rows: [string, readonly string[], number, RegExp][] = [
    ['no timestamp', [], 0, /not proven +when it happened: /],
    ['other roots', [...given.slice(0, 4), '--tsa-roots', authority.path('other.pem'), '--consistency', proof], 1, /^existed +NO +its signer.* trusted root: CN=tsa$/m],
    ['another policy', [...given, '--consistency', proof, '--tsa-policy', '1.2.3.4.1'], 1, /^existed +NO +.* another policy .*: 1\.2\.3\.4\.2$/m],
    ['no policy', [...given, '--consistency', proof, '--tsa-policy', 'any'], 2, /^$/],
    ['no roots', given.slice(0, 4), 2, /^$/],
    ['no file of roots', [...given.slice(0, 4), '--tsa-roots', body], 3, /^$/],
  ]; // prettier-ignore
    for (const [name, flags, exit, stdout] of rows) {
      const found = await writ(...verify, ...flags);
      t.match(found, { exit, stdout }, name);
      t.match(
        found.stdout,
        exit === 2 || exit === 3 ? /^$/ : /not proven +when it happened: /,
        `${name}: stays open`,
      );
    }

    const whole = ['lineage', 'verify', '--trust', trust, ...from];
    t.match(await writ(...whole, ...given), { exit: 0, stdout: new RegExp(`^existed +the first ${now.size} entries, before .* according to CN=tsa$`, 'm') }); // prettier-ignore
    t.match(await writ(...whole, ...given.slice(0, 3), join(folder, response), ...given.slice(4)), { exit: 1, stdout: /^existed +NO, it is over other bytes/m }); // prettier-ignore
    t.match(await writ(...whole, ...given.slice(2)), { exit: 2, stderr: /--timestamp needs --checkpoint/ });
  },
);

t.test('an authority that lies is said once, and nothing waits for it', { skip }, async (t) => {
  const { home, origin } = await scene(t, (authority) => ({
    body: authority.reply(authority.query('else', '-cert')),
  }));
  const sidecar = await ChildSidecar.start(t, home);
  t.match(await sidecar.says(FAILED), { level: 'warn', said: 'timestamp_wrong_imprint' });
  t.equal((await new Stage(sidecar, origin).forward()).status, 200, 'calls pass');
  t.match(JSON.parse(await get(sidecar, '/readyz')), { ready: true, alarms: ['timestamp_pending'] });
  t.match(JSON.parse(await get(sidecar, '/api/status')), {
    timestamp: { said: 'timestamp_wrong_imprint', size: 0 },
  });
  t.throws(() => readdirSync(layoutOf(home.path).timestamps), 'nothing is kept');
  await sidecar.stop();
  const asked = await writ('lineage', 'timestamp', '--config', home.settingsFile);
  t.match(asked, { exit: 3, stdout: '', stderr: /timestamp_wrong_imprint/ });
  const unsaid = await writ('lineage', 'timestamp', '--home', home.path);
  t.match(unsaid, { exit: 2, stderr: /whom to ask/ });
});

t.test('an authority that is silent holds nothing up, not even the end', { skip }, async (t) => {
  const { home, origin } = await scene(t, () => undefined);
  const sidecar = await ChildSidecar.start(t, home);
  t.equal((await new Stage(sidecar, origin).forward()).status, 200, 'calls pass');
  t.match(JSON.parse(await get(sidecar, '/api/status')), { timestamp: { said: 'unasked' } });
  t.match(await sidecar.stop(), { code: 0 });
  t.notOk(sidecar.lines.some(({ msg }) => msg === FAILED), 'a question that was given up is no failure');
}); // prettier-ignore
