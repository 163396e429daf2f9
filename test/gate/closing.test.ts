/** After which denials the agent's connection goes on, and after which it ends. */
import t from 'tap';
import { serve } from '../e2e/child-sidecar.ts';
import { Stage } from '../e2e/denial-rows.ts';
import type { Fault } from '../e2e/denial-rows.ts';
import { echo, startOrigin } from '../e2e/origin.ts';
import { exchangeRaw, RawAgent } from '../proxy/small-gate.ts';

t.test('nothing further is believed on a connection that broke the rules', async (t) => {
  const origin = await startOrigin(t, echo);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const chunked = (end: string): Fault => ({
    method: 'POST',
    lines: ['Transfer-Encoding: chunked'],
    body: `1\r\nx\r\n0\r\n${end}\r\n`,
  });
  const rows: [name: string, fault: Fault][] = [
    ['two Hosts', { lines: [`Host: 127.0.0.1:${origin.port}`] }],
    ['two grants', { lines: ['Writ-Grant: x'] }],
    ['101 headers', { lines: Array.from({ length: 99 }, (_, i) => `X-${i}: 1`) }],
    ['a dot segment', { path: '/a/../b' }],
    ['another authority', { host: 'elsewhere.test' }],
    ['trailers that nobody announced', chunked('X-A: 1\r\n')],
  ];
  for (const [name, fault] of rows) {
    const heard = await exchangeRaw(on.sidecar.port('forward'), on.bytes(fault) + on.bytes());
    t.equal(heard.match(/HTTP\/1\.1 403 /g)?.length, 1, `${name}: one denial`);
    t.match(heard, /\r\nconnection: close\r\n/i, `${name}: which says so`);
    t.notMatch(heard, / 200 /, `${name}: and the call after it was not looked at`);
  }

  const agent = new RawAgent(on.sidecar.port('forward'));
  agent.socket.write(on.bytes({ grant: undefined }) + on.bytes());
  await agent.hears(' 200 ');
  t.match(agent.heard, /grant_missing/, 'a call that was only refused leaves the connection open');
  agent.socket.destroy();
});
