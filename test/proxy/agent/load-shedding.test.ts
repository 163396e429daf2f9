/** What is given up at a limit is refused as its protocol has it, and what was there before goes on. */
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import t from 'tap';
import { fields, hear, startAgent } from '../http2-client.ts';
import { startOrigin, startSidecar } from '../small-gate.ts';

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

t.test('so do requests that wait behind another one on HTTP/1.1', async (t) => {
  const answers: (() => void)[] = [];
  const port = await startOrigin(t, (_request, response) => void answers.push(() => response.end('ok')));
  const url = `http://127.0.0.1:${port}`;
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], maxStreams: 2 });
  const head = `GET ${url}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const [patient, greedy] = [await dial(sidecar.port), await dial(sidecar.port)];
  patient.write(head.repeat(3));
  while (answers.length < 1) await new Promise(setImmediate);
  const closed = new Promise((resolve) => greedy.once('close', resolve));
  greedy.write(head.repeat(500));
  await closed;
  t.strictSame(sidecar.shed, ['stream'], 'what stands behind it is not even looked at');
  let heard = '';
  patient.setEncoding('latin1').on('data', (text: string) => (heard += text));
  while (heard.split(' 200 OK').length < 4) {
    for (const answer of answers.splice(0)) answer();
    await new Promise(setImmediate);
  }
  const again = await dial(sidecar.port);
  again.write(head.repeat(3));
  while (answers.length < 1) await new Promise(setImmediate);
  t.strictSame(sidecar.shed, ['stream'], 'what is over makes room');
  for (const socket of [patient, again]) socket.destroy();
});

const HEAD = 'GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n';

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function asks(socket: Socket): Promise<string> {
  socket.write(HEAD);
  return String((await once(socket, 'data'))[0]);
}

t.test('connections over the limit: silent ones make room first, then idle ones, then nobody', async (t) => {
  const answers: (() => void)[] = [];
  const port = await startOrigin(t, (_request, response) => void answers.push(() => response.end('ok')));
  const sidecar = await startSidecar(t, {
    ...{ maxConnections: 3, allow: [`127.0.0.1:${port}`] },
    decide: ({ host }) => (host === 'a.test' ? 'policy_denied' : undefined),
  });
  const [first, second] = [await dial(sidecar.port), await dial(sidecar.port)];
  for (const socket of [first, second, first]) t.match(await asks(socket), / 403 /);
  const slow = await dial(sidecar.port);
  slow.write(HEAD.slice(0, 20));
  const going: Socket[] = [];
  for (const socket of [slow, second, first]) socket.once('close', () => going.push(socket));
  const hangs = async (): Promise<Socket> => {
    const [socket, asked] = [await dial(sidecar.port), answers.length];
    socket.write(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    while (answers.length === asked) await new Promise(setImmediate);
    return socket;
  };
  const busy = [await hangs(), await hangs(), await hangs()];
  while (going.length < 3) await new Promise(setImmediate);
  t.ok(
    going[0] === slow && going[1] === second && going[2] === first,
    'whose call is longest ago before others',
  );
  const oneMore = await dial(sidecar.port);
  if (!oneMore.closed) await once(oneMore, 'close');
  t.strictSame(sidecar.shed, Array(4).fill('connection'));
  for (const answer of answers) answer();
  for (const socket of busy) t.match(String((await once(socket, 'data'))[0]), / 200 /);
  for (const socket of busy) socket.destroy();
});
