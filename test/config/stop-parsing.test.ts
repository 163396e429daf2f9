import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { stopParsing } from '../../src/config/stop-parsing.ts';

t.test(
  'of what was read on a connection that is given up, node:http makes no further requests',
  async (t) => {
    let heard = 0;
    const server = createServer(({ socket }) => {
      heard += 1;
      if (heard === 3) stopParsing(socket);
      if (heard === 3) socket.destroy();
    });
    server.listen(0, '127.0.0.1');
    t.teardown(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    const agent = connect(port, '127.0.0.1').on('error', () => undefined);
    agent.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000));
    await once(agent, 'close');
    t.equal(heard, 3);
  },
);
