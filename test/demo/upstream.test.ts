import t from 'tap';
import { startDemoUpstream } from '../../src/demo/upstream.ts';

t.test('the demo upstream answers in friendly JSON and counts what reached it', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const cases: readonly [string, string, number, object][] = [
    ['GET', '/hello', 200, { message: 'Hello from the demo upstream.' }],
    ['GET', '/orders?open=true', 200, { orders: [{ id: 1 }, { id: 2 }] }],
    ['POST', '/orders', 201, { id: 3, status: 'accepted' }],
    ['DELETE', '/orders/1', 200, { id: 1, status: 'deleted' }],
    ['GET', '/nothing', 404, { error: 'not found' }],
    ['PUT', '/hello', 404, { error: 'not found' }],
  ];
  for (const [method, path, status, body] of cases) {
    const answer = await fetch(`http://127.0.0.1:${demo.port}${path}`, { method });
    t.equal(answer.status, status, `${method} ${path}`);
    t.match(await answer.json(), body, `${method} ${path}`);
  }
  const echo = await fetch(`http://127.0.0.1:${demo.port}/echo`, { method: 'POST', body: 'back again' });
  t.equal(await echo.text(), 'back again');
  t.equal(demo.served(), cases.length + 1);
});

t.test('the slow answer comes in pieces and stops when nobody reads', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const answer = await fetch(`http://127.0.0.1:${demo.port}/slow`);
  const reader = answer.body?.getReader();
  const first = await reader?.read();
  t.equal(new TextDecoder().decode(first?.value), '{"piece":1,"of":20}\n');
  await reader?.cancel();
});

t.test('a busy port is the system’s error', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  await t.rejects(startDemoUpstream(demo.port), { code: 'EADDRINUSE' });
});
