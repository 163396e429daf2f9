/** An agent that closes its sending side after its request, on every port: it gets its answer if it still reads. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { hasProc } from './child-sidecar.ts';
import { silent, startOrigin } from './origin.ts';
import { startTunnels } from './tunnels.ts';

t.test('half a connection is enough for an answer, and none is the end', { skip: !hasProc }, async (t) => {
  const origin = await startOrigin(t, silent);
  const { home, sidecar } = await startTunnels(t, { origins: [origin] });
  const { host } = new URL(origin.url);
  const grant = `Writ-Grant: ${home.grant()}`;
  const ways = [
    ['forward', `${origin.url}/a`, host],
    ['reverse', '/api/a', 'sidecar'],
    ['transparent', '/a', host],
  ] as const;
  for (const [name, target, named] of ways) {
    const say = async (): Promise<ReturnType<typeof connect>> => {
      const agent = connect(Number(new URL(sidecar.urls[name] ?? '').port), '127.0.0.1');
      agent.setEncoding('latin1').on('error', () => undefined);
      agent.end([`GET ${target} HTTP/1.1`, `Host: ${named}`, grant, '', ''].join('\r\n'));
      await once(agent, 'finish');
      return agent;
    };
    const from = home.entries().length;
    const reader = await say();
    const { response } = await origin.next();
    const leaver = await say();
    const { request } = await origin.next();
    leaver.destroy();
    await once(request.socket, 'close');
    const left = await home.entry(({ seq, type }) => seq >= from && type === 'outcome');
    t.match(left.is, { ended: 'client-abort' }, `${name}: who has left`);
    response.end('late');
    let heard = '';
    for await (const text of reader as AsyncIterable<string>) heard += text;
    t.match(heard, /^HTTP\/1\.1 200 .*late/s, `${name}: who still reads`);
    const whole = await home.entry(({ seq, type }) => seq > left.seq && type === 'outcome');
    t.match(whole.is, { ended: 'complete' });
  }
});
