/** The small HTTP service that `writ dev` and the demo call: friendly JSON, and a stream that takes a while. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running demo upstream. */
export interface DemoUpstream {
  readonly port: number;
  /** Requests that reached it: what was refused never did. */
  readonly served: () => number;
  close(): Promise<void>;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const SLOW_PIECES = 20;
const SLOW_PIECE_MS = 250;

const orders = [
  { id: 1, item: 'espresso machine', status: 'shipped' },
  { id: 2, item: 'coffee beans, 1 kg', status: 'packed' },
];

const answers: Readonly<Record<string, Answer>> = {
  'GET /': (_request, response) => json(response, 200, { endpoints: Object.keys(answers) }),
  'GET /hello': (_request, response) => json(response, 200, { message: 'Hello from the demo upstream.' }),
  'GET /orders': (_request, response) => json(response, 200, { orders }),
  'POST /orders': (request, response) => {
    request.resume().on('end', () => json(response, 201, { id: 3, status: 'accepted' }));
  },
  'DELETE /orders/1': (_request, response) => json(response, 200, { id: 1, status: 'deleted' }),
  'POST /echo': (request, response) => {
    response.writeHead(200, {
      'content-type': request.headers['content-type'] ?? 'application/octet-stream',
    });
    request.pipe(response);
  },
  'GET /slow': (_request, response) => stream(response),
};

/** Starts it on this address; port 0 takes a free one. Rejects with the system's error where it cannot listen. */
export async function startDemoUpstream(port: number, host = '127.0.0.1'): Promise<DemoUpstream> {
  let served = 0;
  const server = createServer((request, response) => {
    served += 1;
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const answer = answers[`${request.method} ${path}`];
    if (answer) answer(request, response);
    else json(response, 404, { error: 'not found', try: Object.keys(answers) });
  });
  const address = await listening(server, port, host);
  return { port: address.port, served: () => served, close: () => closed(server) };
}

function json(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** One line every quarter of a second, until all are sent or nobody reads. */
function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  let piece = 0;
  const timer = setInterval(() => {
    piece += 1;
    response.write(`${JSON.stringify({ piece, of: SLOW_PIECES })}\n`);
    if (piece === SLOW_PIECES) response.end();
  }, SLOW_PIECE_MS);
  response.on('close', () => clearInterval(timer));
}

function listening(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      const address = server.address();
      if (address && typeof address === 'object') resolve(address);
      else reject(new Error('listening on no address'));
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
