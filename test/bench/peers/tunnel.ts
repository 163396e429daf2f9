/** A plain CONNECT tunnel: it opens nothing and sees nothing. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';

const server = createServer();
server.on('connect', (request, socket, head) => {
  const { hostname, port } = new URL(`http://${request.url}`);
  const upstream = connect({ host: hostname, port: Number(port), noDelay: true }, () => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    upstream.write(head);
    pipeline(socket, upstream, () => undefined);
    pipeline(upstream, socket, () => undefined);
  });
  upstream.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${JSON.stringify({ port: address?.port })}\n`);
});
