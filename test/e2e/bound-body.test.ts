/** A grant may bind one body by its digest: it is held until it was compared, and nothing else is let out. */
import { createHash } from 'node:crypto';
import t from 'tap';
import type { Test } from 'tap';
import { RawAgent } from '../proxy/small-gate.ts';
import { serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import type { Fault } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { echo, startOrigin } from './origin.ts';
import { readReply } from './wire.ts';

const BODY = 'the one body';
const MEMORY = 100;
const LIMIT = 1000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const sha3 = (text: string): string => createHash('sha3-512').update(text).digest('hex');

async function stage(t: Test): Promise<Stage> {
  const origin = await startOrigin(t);
  const settings = { limits: { max_bound_body_bytes: MEMORY, max_spooled_body_bytes: LIMIT } };
  return new Stage(await serve(t, { origins: [origin], settings }), origin);
}

const bound = (on: Stage, body: string, seconds = 600): string =>
  on.grant({ entry: { content_sha256: sha256(body) }, seconds });

t.test('the right body passes, however it comes', async (t) => {
  const on = await stage(t);
  const post = (body: string, ...lines: readonly string[]): Fault => ({ method: 'POST', lines, body });
  const whole = 'x'.repeat(LIMIT);
  const rows: [name: string, body: string, fault: Fault][] = [
    ['counted', BODY, post(BODY, `Content-Length: ${BODY.length}`)],
    ['in chunks', BODY, post('4\r\nthe \r\n8\r\none body\r\n0\r\n\r\n', 'Transfer-Encoding: chunked')],
    ['just small enough', whole, post(whole, `Content-Length: ${LIMIT}`)],
    ['none at all', '', {}],
  ];
  for (const [name, body, fault] of rows) {
    const reply = await on.forward({ ...fault, grant: bound(on, body) });
    t.match(reply, { status: 200, body: new RegExp(`"length":${body.length}}`) }, name);
    const permit = Number(/entry=(\d+)$/.exec(reply.headers['writ-decision'] ?? '')?.[1]);
    const digests = { sha256: sha256(body), sha3_512: sha3(body) };
    const [entry] = on.sidecar.home.entries(permit);
    t.match(entry?.is, { call: { content: { length: body.length, ...digests } } }, 'it is on record before it leaves');
    t.match((await on.sidecar.home.outcome(permit)).is, { request: { bytes: body.length, ...digests } });
  }
}); // prettier-ignore

t.test('an agent that waits for 100 is asked for the body before anything is let out', async (t) => {
  const on = await stage(t);
  const agent = new RawAgent(on.sidecar.port('forward'));
  const lines = [`Content-Length: ${BODY.length}`, 'Expect: 100-continue'];
  agent.socket.write(on.bytes({ method: 'POST', lines, grant: bound(on, BODY) }));
  await agent.hears('100 Continue');
  t.equal(on.origin.bytes(), 0);
  agent.socket.write(BODY);
  await agent.hears('"length":12}');
  agent.socket.destroy();
});

t.test('a body that does not come to its end in time', async (t) => {
  const on = await stage(t);
  const agent = new RawAgent(on.sidecar.port('forward'));
  const lines = [`Content-Length: ${BODY.length}`];
  agent.socket.write(on.bytes({ method: 'POST', lines, body: 'the one', grant: bound(on, BODY, 2) }));
  await agent.closed();
  const reply = readReply(agent.heard, true);
  if (!reply) throw new Error('no reply');
  const { is } = assertDenied(t, on.sidecar.home, { reply, code: 'lease_expired' });
  t.notOk('permit' in is);
  t.equal(on.origin.bytes(), 0);
});

t.test('a body that breaks off leaves a denial on record', async (t) => {
  const on = await stage(t);
  const agent = new RawAgent(on.sidecar.port('forward'));
  const lines = [`Content-Length: ${BODY.length}`, 'Expect: 100-continue'];
  agent.socket.write(on.bytes({ method: 'POST', lines, grant: bound(on, BODY) }));
  await agent.hears('100 Continue');
  agent.socket.destroy();
  const entry = await on.sidecar.home.entry(({ is }) => is['verdict'] === 'deny');
  t.match(entry.is, { code: 'scope_content' });
  t.equal(on.origin.bytes(), 0);
});

t.test('an agent whose bodies wait at a silent upstream makes room for another agent', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/silent') request.resume();
    else echo(request, response);
  });
  const limits = { max_held_bytes: 4 * MEMORY, max_bound_body_bytes: MEMORY, max_spooled_body_bytes: 0 };
  const settings = { limits };
  const on = new Stage(await serve(t, { origins: [origin], settings }), origin);
  const body = 'x'.repeat(MEMORY);
  const post = { method: 'POST', lines: [`Content-Length: ${MEMORY}`, 'Connection: close'], body };
  const entry = { content_sha256: sha256(body) };
  const greedy = on.grant({ entry, sub: 'greedy' });
  const agents: RawAgent[] = [];
  for (let i = 0; i < 4; i++) {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(on.bytes({ ...post, path: '/silent', grant: greedy }));
    agents.push(agent);
    await origin.next();
  }
  assertDenied(t, on.sidecar.home, {
    reply: await on.forward({ ...post, grant: greedy }),
    code: 'content_too_large',
  });
  t.match(await on.forward({ ...post, grant: on.grant({ entry, sub: 'modest' }) }), { status: 200 });
  const [first, ...others] = agents;
  await first?.closed();
  const reply = readReply(first?.heard ?? '', true);
  if (!reply) throw new Error('no reply');
  t.match(assertDenied(t, on.sidecar.home, { reply, code: 'content_too_large' }).is, { permit: Number });
  t.strictSame(
    others.map(({ heard }) => heard),
    ['', '', ''],
  );
  for (const { socket } of others) socket.destroy();
});

t.test('an agent whose slow bodies fill the disk makes room for another agent', async (t) => {
  const origin = await startOrigin(t);
  const limits = { max_bound_body_bytes: 0, max_spooled_body_bytes: MEMORY, max_spool_bytes: 4 * MEMORY };
  const on = new Stage(await serve(t, { origins: [origin], settings: { limits } }), origin);
  const body = 'x'.repeat(MEMORY);
  const post = { method: 'POST', lines: [`Content-Length: ${MEMORY}`] };
  const entry = { content_sha256: sha256(body) };
  const greedy = on.bytes({ ...post, body: body.slice(1), grant: on.grant({ entry, sub: 'greedy' }) });
  const agents = Array.from({ length: 5 }, () => {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(greedy);
    return agent;
  });
  const next = async (): Promise<void> => {
    const closed = await Promise.race(agents.map(async (agent) => (await agent.closed(), agent)));
    agents.splice(agents.indexOf(closed), 1);
    const reply = readReply(closed.heard, true);
    if (!reply) throw new Error('no reply');
    assertDenied(t, on.sidecar.home, { reply, code: 'content_timeout' });
  };
  await next(); // the fifth made the first one go: it is full
  const modest = on.grant({ entry, sub: 'modest' });
  t.match(await on.forward({ ...post, body, grant: modest }), { status: 200, body: /"length":100}/ });
  await next();
  t.equal(agents.length, 3);
  for (const { socket } of agents) socket.destroy();
});
