/** The smallest forward proxy on undici's `dispatch`: no decision, no record, no limits. What any Node proxy costs. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';

const agent = new Agent({ pipelining: 1 });

function relay(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller) => void response.on('drain', () => controller.resume()),
    onResponseStart: (_controller, status, headers) => void response.writeHead(status, headers),
    onResponseData: (controller, chunk) => {
      if (!response.write(chunk)) controller.pause();
    },
    onResponseEnd: () => void response.end(),
    onResponseError: () => void response.destroy(),
  };
}

const server = createServer((request, response) => {
  const { origin, pathname, search } = new URL(request.url ?? '');
  const { connection: _connection, ...headers } = request.headers;
  const method = request.method ?? 'GET';
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  agent.dispatch({ origin, path: pathname + search, method, headers, body }, relay(response));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${JSON.stringify({ port: address?.port })}\n`);
});
