/** An agent that floods an opened tunnel waits for its next one; others do not. */
import { once } from 'node:events';
import t from 'tap';
import { frame, FrameAgent, TYPE } from '../proxy/http2-frames.ts';
import { openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import { startTlsOrigin } from './tls-origin.ts';

t.test('who flooded is answered after those who did not', async (t) => {
  const origin = await startTlsOrigin(t);
  const { home, ca, port } = await startTunnels(t, { origins: [origin] });
  const [guilty, innocent] = [home.grant(), home.grant()];
  const authority = new URL(origin.url).host;
  const { socket } = await openTunnel(port, authority, { grant: guilty });
  const tls = await tlsInside(socket, ca, { servername: 'localhost', ALPNProtocols: ['h2'] });
  const agent = new FrameAgent(tls);
  const ping = frame(TYPE.PING, 0, { payload: new Uint8Array(8) });
  agent.socket.write(Buffer.concat(Array.from({ length: 1000 }, () => ping)));
  await agent.closed();
  const answered: string[] = [];
  const open = async (who: string, grant: string): Promise<void> => {
    const { reply, socket } = await openTunnel(port, authority, { grant });
    answered.push(`${who} ${reply.status}`);
    socket.destroy();
    await once(socket, 'close');
  };
  await Promise.all([open('guilty', guilty), open('innocent', innocent)]);
  t.strictSame(answered, ['innocent 200', 'guilty 200']);
});
