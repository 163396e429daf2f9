/** A permitted call goes on only while its lease lives: each reason to end one, seen by agent, origin and log. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import type { DenialCode } from '../../src/denial/table.ts';
import { RawAgent } from '../proxy/small-gate.ts';
import { serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import type { Fault } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { fillLog } from './failing-log.ts';
import type { HomePlan, Recorded } from './home.ts';
import { startOrigin } from './origin.ts';
import { compiled, PLAYGROUND } from './policies.ts';
import { missing } from './program.ts';
import { readReply } from './wire.ts';

/** Answers at once, and never comes to its end; `/counted` names a length, `/silent` says nothing at all. */
function endless({ url = '' }: IncomingMessage, response: ServerResponse): void {
  if (url.startsWith('/silent')) return;
  if (url.startsWith('/counted')) response.setHeader('content-length', '1000');
  response.write('part');
}

async function stage(t: Test, settings: HomePlan['settings'] = {}): Promise<Stage> {
  const origin = await startOrigin(t, endless);
  const policy = { bundle: await compiled(PLAYGROUND) };
  return new Stage(await serve(t, { origins: [origin], settings: { policy, ...settings } }), origin);
}

/** A call whose answer has begun. */
interface Running {
  readonly agent: RawAgent;
  readonly permit: number;
}

async function begin(on: Stage, fault: Fault = {}): Promise<Running> {
  const agent = new RawAgent(on.sidecar.port('forward'));
  agent.socket.write(on.bytes(fault));
  await agent.hears('part');
  const mark = readReply(agent.heard, false)?.headers['writ-decision'] ?? '';
  return { agent, permit: Number(/entry=(\d+)$/.exec(mark)?.[1]) };
}

/** Agent and origin are both cut off, in a way that neither can take for the end; the outcome says by what. */
async function assertCut(t: Test, on: Stage, { agent, permit }: Running, by: DenialCode): Promise<Recorded> {
  await agent.closed();
  t.notMatch(agent.heard, /\r\n0\r\n\r\n$/, 'the body lacks its end');
  await Promise.all([...on.origin.sockets].map((socket) => once(socket, 'close')));
  const outcome = await on.sidecar.home.outcome(permit);
  t.match(outcome.is, { ended: 'cut', by, status: 200 });
  t.notMatch(agent.heard, by, 'nothing of ours is written into the body');
  return outcome;
}

t.test('after the head', async (t) => {
  const rows: [name: string, by: DenialCode, fault: (on: Stage) => Fault][] = [
    ['the grant expires', 'lease_expired', (on) => ({ grant: on.grant({ seconds: 2 }) })],
    ['the grant’s max_seconds', 'lease_seconds', (on) => ({ grant: on.grant({ entry: { max_seconds: 1 } }) })],
    ['policy’s max_seconds', 'lease_seconds', () => ({ path: '/one-second' })],
    ['a body of a known length', 'lease_seconds', (on) => ({ path: '/counted', grant: on.grant({ entry: { max_seconds: 1 } }) })],
  ]; // prettier-ignore
  const on = await stage(t);
  for (const [name, by, fault] of rows) {
    await t.test(name, async (t) => assertCut(t, on, await begin(on, fault(on)), by));
  }
});

t.test('response bytes, up to the limit and not one more', async (t) => {
  const on = await stage(t);
  const grant = on.grant({ entry: { max_response_bytes: 10 } });
  for (const fault of [{ grant }, { path: '/ten-bytes-down' }]) {
    const running = await begin(on, fault);
    const response = (await on.origin.next()).response;
    response.write('-more-'); // ten bytes by now
    await running.agent.hears('-more-');
    response.write('x');
    const { is } = await assertCut(t, on, running, 'lease_response_bytes');
    t.match(is, { response: { bytes: 10 } });
    t.match(running.agent.heard, /part(\r\n6\r\n)?-more-(\r\n)?$/);
  }
});

t.test('an answer that declares more bytes than it may have is refused before its head', async (t) => {
  const on = await stage(t);
  const answer = on.forward({ path: '/counted', grant: on.grant({ entry: { max_response_bytes: 10 } }) });
  await on.origin.next();
  const { is } = assertDenied(t, on.sidecar.home, { reply: await answer, code: 'lease_response_bytes' });
  t.match(on.sidecar.home.entries(Number(is['permit']))[0], { is: { verdict: 'permit' } });
});

t.test('request bytes, when the answer has begun already', async (t) => {
  const on = await stage(t);
  const grant = on.grant({ entry: { max_request_bytes: 10 } });
  for (const fault of [{ grant }, { path: '/ten-bytes-up' }]) {
    const running = await begin(on, { ...fault, method: 'POST', lines: ['Transfer-Encoding: chunked'], body: '4\r\nfour\r\n' });
    const { request } = await on.origin.next();
    let heard = '';
    const six = new Promise<void>((resolve) => {
      request.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        if (heard.endsWith('six...')) resolve();
      });
    });
    running.agent.socket.write('6\r\nsix...\r\n');
    await six;
    running.agent.socket.write('1\r\nx\r\n');
    const { is } = await assertCut(t, on, running, 'lease_request_bytes');
    t.match(is, { request: { bytes: 10 } });
    t.equal(heard, 'foursix...', 'not one byte more reached the origin');
  }
}); // prettier-ignore

t.test('trust in its authority is withdrawn', async (t) => {
  const on = await stage(t);
  const answered = await begin(on);
  const unanswered = on.forward({ path: '/silent' });
  await on.origin.next();
  await on.origin.next();
  on.sidecar.home.authorize('{"authorities":[]}');
  t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  const reply = await unanswered;
  const { is } = assertDenied(t, on.sidecar.home, { reply, code: 'grant_unknown_key' });
  t.match(on.sidecar.home.entries(Number(is['permit']))[0], { is: { verdict: 'permit' } });
  await assertCut(t, on, answered, 'grant_unknown_key');
});

t.test('the log is lost', { skip: missing('prlimit') }, async (t) => {
  const on = await stage(t);
  const answered = await begin(on);
  const unanswered = on.forward({ path: '/silent' });
  await on.origin.next();
  await on.origin.next();
  await fillLog(on.sidecar);
  const strike = on.forward();
  const { is } = assertDenied(t, on.sidecar.home, {
    reply: await unanswered,
    code: 'log_unavailable',
    unrecorded: 'log_unavailable',
  });
  t.match(on.sidecar.home.entries(Number(is['permit']))[0], { is: { verdict: 'permit' } }, 'it names the permit');
  assertDenied(t, on.sidecar.home, { reply: await strike, code: 'log_unavailable', unrecorded: 'log_unavailable' });
  await answered.agent.closed();
  t.match(answered.agent.heard, /part\r\n$/, 'what runs is cut');
  t.equal(on.origin.seen.length, 2, 'and nothing is let out any more');
  t.match(await on.sidecar.exited, { code: 3 });
  t.strictSame(on.sidecar.home.entries().filter(({ type }) => type === 'outcome'), [], 'their outcome is unknown');
}); // prettier-ignore

t.test('SIGTERM lets running calls come to their end', async (t) => {
  const on = await stage(t, { stop: { grace_seconds: 60 } });
  const running = await begin(on);
  const { response } = await on.origin.next();
  const exit = on.sidecar.stop();
  await on.sidecar.says('stopping');
  response.end('the end');
  await running.agent.closed();
  t.match(running.agent.heard, /the end\r\n0\r\n\r\n$/);
  t.match(await exit, { code: 0 });
  t.match((await on.sidecar.home.outcome(running.permit)).is, { ended: 'complete' });
});

t.test('SIGTERM cuts what takes longer than its grace', async (t) => {
  const on = await stage(t, { stop: { grace_seconds: 1 } });
  const running = await begin(on);
  const exit = on.sidecar.stop();
  await assertCut(t, on, running, 'lease_stopped');
  t.match(await exit, { code: 0 });
});

t.test('a log that is lost while the sidecar stops is no good end', { skip: missing('prlimit') }, async (t) => {
  const on = await stage(t, { stop: { grace_seconds: 60 } });
  const running = [await begin(on), await begin(on)];
  const { response } = await on.origin.next();
  const exit = on.sidecar.stop();
  await on.sidecar.says('stopping');
  await fillLog(on.sidecar);
  response.end('the end');
  await on.sidecar.says('the log cannot record any more');
  await Promise.all(running.map(({ agent }) => agent.closed()));
  t.match(await exit, { code: 3 });
}); // prettier-ignore

t.test('an operator who asks again need not wait for the grace to pass', async (t) => {
  const on = await stage(t, { stop: { grace_seconds: 3600 } });
  const running = await begin(on);
  const exit = on.sidecar.stop();
  const again = setInterval(() => on.sidecar.signal('SIGTERM'), 300); // sooner it counts as the same request
  await assertCut(t, on, running, 'lease_stopped');
  clearInterval(again);
  t.match(await exit, { code: 0 });
});
