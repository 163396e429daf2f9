/** What is given up at a limit is refused as its protocol has it, and what was there before goes on. */
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import t from 'tap';
import { fields, hear, startAgent } from './http2-client.ts';
import { startOrigin, startSidecar } from './small-gate.ts';

/** RFC 9113 §7. */
const REFUSED_STREAM = 7;

/** With what a stream is reset. */
function refusal(session: ClientHttp2Session): Promise<number | undefined> {
  const stream = session.request(fields('GET', '/')).on('error', () => undefined);
  return new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)));
}

t.test('streams beside others share a budget, and the first of a connection needs none', async (t) => {
  const answers: (() => void)[] = [];
  const port = await startOrigin(t, (_request, response) => void answers.push(() => response.end('ok')));
  const routes = [{ upstream: `http://127.0.0.1:${port}` }];
  const sidecar = await startSidecar(t, { routes, maxStreams: 2 });
  const greedy = startAgent(t, sidecar.http2Port);
  const three = [1, 2, 3].map(() => hear(greedy.request(fields('GET', '/'))));
  t.equal(await refusal(greedy), REFUSED_STREAM, 'the fourth');
  t.strictSame(sidecar.shed, ['stream']);

  const modest = startAgent(t, sidecar.http2Port);
  const first = hear(modest.request(fields('GET', '/')));
  t.equal(await refusal(modest), REFUSED_STREAM, 'nothing is left beside it');
  while (answers.length < 4) await new Promise(setImmediate);
  for (const answer of answers.splice(0)) answer();
  for (const heard of [first, ...three]) t.match(await heard, { status: 200, body: 'ok' });

  await sidecar.finished(4);
  const again = [1, 2, 3].map(() => hear(greedy.request(fields('GET', '/'))));
  while (answers.length < 3) await new Promise(setImmediate);
  for (const answer of answers) answer();
  for (const heard of again) t.match(await heard, { status: 200 }, 'what is over makes room');
});

t.test('connections over the limit are closed at once, and counted', async (t) => {
  const sidecar = await startSidecar(t, { maxConnections: 2, decide: () => 'policy_denied' });
  const open = [1, 2].map(() => connect(sidecar.port, '127.0.0.1'));
  for (const socket of open) await once(socket, 'connect');
  const third = connect(sidecar.port, '127.0.0.1').on('error', () => undefined);
  await new Promise((resolve) => third.once('close', resolve));
  t.strictSame(sidecar.shed, ['connection']);
  open[0]?.write('GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.match(String((await once(open[0] ?? third, 'data'))[0]), / 403 /, 'those that are open go on');
  for (const socket of open) socket.destroy();
});
