/** Bodies of any size pass through little memory; a slow reader slows its origin, not the sidecar. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import { RawAgent, startOrigin, startRaw } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';

const MIB = 1024 * 1024;
const BODY = 64 * MIB;

/** The proxy in a process of its own. */
async function startChild(t: Teardown): Promise<{ port: number; rss: () => Promise<number> }> {
  const file = new URL('../bench/peers/path.ts', import.meta.url);
  const child: ChildProcess = fork(file, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  t.teardown(() => child.kill());
  if (!child.stdout) throw new Error('no pipe');
  const [line] = (await once(child.stdout, 'data')) as [Buffer]; // a stream's event
  const { port } = JSON.parse(line.toString()) as { port: number }; // written by our own peer
  const rss = async (): Promise<number> => {
    child.send('rss?');
    const [answer] = (await once(child, 'message')) as [{ rss: number }]; // written by our own peer
    return answer.rss;
  };
  return { port, rss };
}

function echo(incoming: IncomingMessage, response: ServerResponse): void {
  incoming.pipe(response);
}

/** Sends so many bytes through the proxy and counts what comes back; `each` is called now and then. */
async function sendThrough(
  port: number,
  target: string,
  given: { bytes: number; each: () => void },
): Promise<number> {
  const piece = Buffer.alloc(MIB, 'x');
  const { host } = new URL(target);
  const sent = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: target,
    headers: { host },
    agent: false,
  });
  let left = given.bytes;
  const pump = (): void => {
    while (left > 0) {
      left -= piece.length;
      given.each();
      if (!sent.write(piece)) return void sent.once('drain', pump);
    }
    sent.end();
  };
  pump();
  const [response] = (await once(sent, 'response')) as [IncomingMessage]; // node:http's event
  let back = 0;
  response.on('data', (chunk: Buffer) => (back += chunk.length));
  await once(response, 'end');
  return back;
}

t.test('64 MiB up and down at once take little more memory', async (t) => {
  const origin = await startOrigin(t, echo);
  const child = await startChild(t);
  const target = `http://127.0.0.1:${origin}/`;
  await sendThrough(child.port, target, { bytes: 8 * MIB, each: () => undefined });
  const before = await child.rss();
  const samples: Promise<number>[] = [];
  const back = await sendThrough(child.port, target, { bytes: BODY, each: () => samples.push(child.rss()) });
  t.equal(back, BODY);
  const peak = Math.max(...(await Promise.all(samples)), await child.rss());
  t.ok(peak - before <= 32 * MIB, `grew by ${Math.round((peak - before) / MIB)} MiB`);
});

t.test('an agent that does not read stops the origin', async (t) => {
  let accepted = 0;
  const origin = await startOrigin(t, (_incoming, response) => {
    const piece = Buffer.alloc(MIB, 'x');
    const pump = (): void => {
      while (accepted < 4 * BODY) {
        accepted += piece.length;
        if (!response.write(piece)) return void response.once('drain', pump);
      }
      response.end();
    };
    pump();
  });
  const child = await startChild(t);
  const before = await child.rss();
  const agent = new RawAgent(child.port);
  agent.socket.write(`GET http://127.0.0.1:${origin}/ HTTP/1.1\r\nHost: 127.0.0.1:${origin}\r\n\r\n`);
  await agent.hears('\r\n\r\n');
  agent.socket.pause();
  for (let still = 0, last = -1; still < 300; last = accepted) {
    await child.rss(); // a turn of its event loop
    still = accepted === last ? still + 1 : 0;
  }
  t.ok(accepted < 48 * MIB, `the origin could send ${accepted / MIB} MiB`);
  t.ok((await child.rss()) - before <= 32 * MIB);
  agent.socket.destroy();
});

t.test('an origin that does not read stops the agent', async (t) => {
  const { port } = await startRaw(t, (socket) => socket.pause());
  const child = await startChild(t);
  const before = await child.rss();
  const agent = new RawAgent(child.port);
  const head = `POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${4 * BODY}\r\n\r\n`;
  agent.socket.write(head);
  let accepted = 0;
  const piece = Buffer.alloc(MIB, 'x');
  const pump = (): void => {
    if (accepted >= 4 * BODY) return;
    accepted += piece.length;
    agent.socket.write(piece, pump);
  };
  pump();
  for (let still = 0, last = -1; still < 300; last = accepted) {
    await child.rss(); // a turn of its event loop
    still = accepted === last ? still + 1 : 0;
  }
  t.ok(accepted < 48 * MIB, `the agent could send ${accepted / MIB} MiB`);
  t.ok((await child.rss()) - before <= 32 * MIB);
  agent.socket.destroy();
});
