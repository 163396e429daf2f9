/** Every denial that can be provoked from outside: signed, recorded, provable offline, and nothing reached the origin. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { denials } from '../../src/denial/table.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { ChildSidecar, serve } from './child-sidecar.ts';
import { addressRows, callRows, grantRows, leaseRows, policyRows, Stage } from './denial-rows.ts';
import type { Row } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { makeHome } from './home.ts';
import { fillLog } from './failing-log.ts';
import { echo, silent, startOrigin } from './origin.ts';
import { compiled, handmadeBundle, PLAYGROUND, READS_CONTENT } from './policies.ts';
import { missing } from './program.ts';
import { exchangeAll } from './wire.ts';
import type { Reply } from './wire.ts';
import { bodies } from '../policy/wasm-module.ts';
import type { ModuleShape } from '../policy/wasm-module.ts';

t.setTimeout(120_000);

const seen = new Set<DenialCode>();
const NAMES = fileURLToPath(new URL('names.ts', import.meta.url));

async function stage(t: Test): Promise<Stage> {
  const origin = await startOrigin(t, (request, response) => {
    if (!/^\/(silent|one-second)/.test(request.url ?? '')) echo(request, response);
  });
  const settings = {
    policy: { bundle: await compiled(PLAYGROUND), deadline_ms: 500, max_input_bytes: 6000 },
    limits: {
      ...{ max_bound_body_bytes: 1000, max_spooled_body_bytes: 1500 },
      ...{ bound_body_timeout_ms: 500, idle_timeout_ms: 1500 },
    },
    upstream: { allow: [`127.0.0.1:${origin.port}`], dns_timeout_ms: 50 },
  };
  const home = await makeHome(t, { origins: [origin], settings });
  return new Stage(await ChildSidecar.start(t, home, { nodeArgs: ['--import', NAMES] }), origin);
}

async function assertRow(t: Test, stage: Stage, row: Row): Promise<void> {
  const { sidecar } = stage;
  await t.test(`${row.code}: ${row.name}`, async (t) => {
    const reply = await row.provoke(stage);
    const { is } = assertDenied(t, sidecar.home, { reply, code: row.code });
    const body = JSON.parse(reply.body) as { title: string }; // checked above
    t.equal(body.title, denials[row.code].title);
    if (row.permitted) await assertPermitted(t, stage, { permit: Number(is['permit']), code: row.code });
    else t.notOk('permit' in is, 'it was never let out');
    seen.add(row.code);
  });
}

async function assertPermitted(
  t: Test,
  { sidecar }: Stage,
  { permit, code }: { permit: number; code: DenialCode },
): Promise<void> {
  t.match(sidecar.home.entries(permit)[0], { type: 'decision', is: { verdict: 'permit' } });
  t.match((await sidecar.home.outcome(permit)).is, { ended: 'cut', by: code });
}

t.test('one running sidecar', async (t) => {
  const on = await stage(t);
  t.match(await on.forward(), { status: 200 }, 'the call without a fault passes');
  t.match(await on.reverse(), { status: 200 });
  for (const row of [...callRows, ...grantRows, ...policyRows, ...addressRows]) {
    await row.prepare?.(on);
    const before = on.origin.bytes();
    await assertRow(t, on, row);
    t.equal(on.origin.bytes(), before, `${row.code}: not one byte reached the origin`);
  }
  await Promise.all(leaseRows.map((row) => assertRow(t, on, row)));
});

const denied = (answer: string): ModuleShape => ({ answer: `[{"result":${answer}}]` });

t.test('what an operator may get wrong, and reload', async (t) => {
  const origin = await startOrigin(t);
  const home = await makeHome(t, {
    origins: [origin],
    settings: { policy: { bundle: 'nowhere' }, limits: { max_bound_body_bytes: 1000 } },
  });
  const on = new Stage(await ChildSidecar.start(t, home), origin);
  const row = (code: DenialCode, name: string, fault = {}): Promise<void> =>
    assertRow(t, on, { code, name, provoke: () => on.forward(fault) });
  const activate = async (bundle: string): Promise<void> => {
    home.configure({ policy: { bundle } });
    t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  };
  await row('policy_unavailable', 'no bundle was ever loaded');

  const rows: [DenialCode, string, ModuleShape][] = [
    ['policy_undefined', 'no result', { answer: '[]' }],
    ['policy_malformed', 'two results', { answer: '[{"result":true},{"result":true}]' }],
    ['policy_malformed', 'a text', denied('"true"')],
    ['policy_malformed', 'a number', denied('1')],
    ['policy_malformed', 'true', denied('true')],
    ['policy_malformed', 'another object', denied('{"allow":true}')],
    ['policy_malformed', 'allowed, with reasons', denied('{"allow":true,"reasons":["x"],"obligations":[]}')],
    ['policy_failed', 'a trap', { evaluate: bodies.trap }],
    ['policy_failed', 'no memory left', { evaluate: bodies.grow(65_536) }],
  ];
  for (const [i, [code, name, shape]] of rows.entries()) {
    await activate(handmadeBundle(join(home.folder, `bundle-${i}`), shape, `r${i}`));
    await row(code, name);
  }

  await activate(await compiled(READS_CONTENT));
  t.match(await on.forward(), { status: 200 }, 'a call without a body passes');
  const posted = (body: string, type = 'application/json'): object => ({
    ...{ method: 'POST', body },
    lines: [`Content-Length: ${body.length}`, `Content-Type: ${type}`],
  });
  t.match(await on.forward(posted('{"open":1}')), { status: 200 }, 'so does one whose body was read');
  await row('policy_denied', 'a body that a rule refuses', posted('{"secret":1}'));
  await row('policy_content_unread', 'a body of another kind', posted('{"open":1}', 'text/plain'));
  await row('content_unparsable', 'a body with two readings', posted('{"open":1,"open":2}'));
  await row('content_too_large', 'a body that is too long', posted(`"${'x'.repeat(2000)}"`));

  for (const text of ['', 'garbage', '{"authorities":{}}']) {
    home.authorize(text);
    t.match(await on.sidecar.reload(), { msg: /^reload failed/ });
    await row('authorities_unreadable', JSON.stringify(text));
  }
  t.equal(origin.seen.length, 2);
});

t.test('SIGTERM', async (t) => {
  const origin = await startOrigin(t, silent);
  const policy = { bundle: await compiled(PLAYGROUND), deadline_ms: 1500 };
  const settings = { policy, stop: { grace_seconds: 3 } };
  const on = new Stage(await serve(t, { origins: [origin], settings }), origin);
  const running = on.forward();
  await origin.next();
  const endless = on.forward({ path: '/endless' });
  const behind = on.forward(); // not evaluated before the endless one is killed
  await on.forward({ grant: undefined }); // was sent after them: by now they wait for their policy
  const exit = on.sidecar.stop();
  const row = (code: DenialCode, name: string, reply: Promise<Reply>, permitted = false): Promise<void> =>
    assertRow(t, on, { code, name, provoke: () => reply, permitted });
  await row('policy_timeout', 'is still decided', endless);
  await row('stopping', 'a call that was waiting for policy', behind);
  await row('lease_stopped', 'a call that runs', running, true);
  t.match(await exit, { code: 0 });
  t.equal(origin.seen.length, 1);
});

t.test('a log that cannot record', { skip: missing('prlimit') }, async (t) => {
  const origin = await startOrigin(t);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const { home, pid, exited } = on.sidecar;
  await fillLog(on.sidecar);
  const calls = on.bytes() + on.bytes({ grant: undefined }) + on.bytes();
  const replies = await exchangeAll(on.sidecar.port('forward'), calls, 3);
  for (const [i, code] of (['log_unavailable', 'grant_missing', 'log_unavailable'] as const).entries()) {
    const reply = replies[i];
    if (reply) assertDenied(t, home, { reply, code, unrecorded: 'log_unavailable' });
    else t.fail(`no reply: ${code}`);
    seen.add(code);
  }
  t.match(await exited, { code: 3 }, `${pid} ends, and recovers at its next start`);
  t.equal(origin.bytes(), 0);
  const again = new Stage(await ChildSidecar.start(t, home), origin);
  t.match(await again.forward(), { status: 200 });
});

t.test('a log whose disk has little room', async (t) => {
  const origin = await startOrigin(t);
  const most = 2 ** 52;
  const rows = [
    ['denials are recorded', { permit_free_bytes: most }, undefined],
    ['denials are counted', { denial_free_bytes: most }, 'log_unavailable'],
  ] as const;
  for (const [name, lineage, unrecorded] of rows) {
    const on = new Stage(await serve(t, { origins: [origin], settings: { lineage } }), origin);
    const { home } = on.sidecar;
    for (const [code, reply] of [
      ['log_space_low', await on.forward()],
      ['grant_missing', await on.forward({ grant: undefined })],
    ] as const) {
      assertDenied(t, home, unrecorded ? { reply, code, unrecorded } : { reply, code });
      seen.add(code);
    }
    const ready = await fetch(`http://127.0.0.1:${on.sidecar.port('admin')}/readyz`);
    t.match(await ready.json(), { ready: false, parts: { log: 'bad' }, alarms: ['log_space_low'] });
    t.match(await on.sidecar.stop(), { code: 0 });
    const counted = home.entries().find(({ type }) => type === 'refusals');
    const counts = unrecorded && { log_space_low: 1, grant_missing: 1 };
    t.strictSame(counted?.is['counts'], counts, `${name}, and nothing is lost`);
  }
  t.equal(origin.bytes(), 0);
});

t.test('the table is complete', (t) => {
  const unreachable: Partial<Record<DenialCode, string>> = {
    not_trusted: 'each part that is not good denies by a code of its own, before',
    header_invalid: 'node:http answers 400 before we see such a head',
    framing_invalid: 'node:http answers 400 before we see such a head',
    grant_revoked: 'there is no list of revocations yet',
    authority_misdirected: 'HTTP/2 alone has streams for another authority: proxy/http2.test.ts',
    lease_response_bytes: 'it is met once the answer is known: leases.test.ts',
    websocket_frame: 'it can only end a WebSocket that is open: proxy/websocket.test.ts',
    websocket_too_large: 'as above',
    websocket_idle: 'as above',
    tunnel_not_tls: 'there is a tunnel by then, and nobody to answer: tunnel-names.test.ts',
    tunnel_name_mismatch: 'there is a tunnel by then, and nobody to answer: tunnel-names.test.ts',
    connection_not_http: 'a connection without a request: transparent.test.ts',
    connection_unnamed: 'as above',
    connection_ungranted: 'as above',
    witness_overdue: 'takes witnesses: witness.test.ts',
    witness_conflict: 'as above',
    internal_error: 'takes a fault of the program: test/gate/fault.test.ts',
  };
  const all = Object.keys(denials).sort();
  t.strictSame([...seen, ...Object.keys(unreachable)].sort(), all, 'each is provoked, or says why not');
  t.end();
});
