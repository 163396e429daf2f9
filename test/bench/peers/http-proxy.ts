/** The same on `http-proxy`, the library that most Node proxies are made of. */
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, response) => response?.destroy());

const server = createServer((request, response) => {
  const { origin, pathname, search } = new URL(request.url ?? '');
  request.url = pathname + search;
  proxy.web(request, response, { target: origin });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${JSON.stringify({ port: address?.port })}\n`);
});
