/** A witness over HTTP (c2sp.org/tlog-witness): `POST /add-checkpoint`, `GET /<origin hash>/checkpoint`. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closed, listening } from '../../config/http-server.ts';
import { decodeUtf8 } from '../../crypto/bytes.ts';
import type { WitnessFile } from './memory.ts';
import type { Witness, WitnessAnswer } from './witness.ts';

/** What is served. */
export interface WitnessService {
  readonly witness: Pick<Witness, 'addCheckpoint'>;
  readonly memory: Pick<WitnessFile, 'latest'>;
  /** Hears of every answer to an `add-checkpoint`. */
  readonly onAnswer: (answer: WitnessAnswer) => void;
  /** Hears of faults; the client then reads 500, and was promised nothing. */
  readonly onFault: (fault: unknown) => void;
}

/** A server that listens. */
export interface WitnessServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A note is at most 128 KiB; a proof at most 63 lines of 45. */
const MAX_BODY = 140_000;
const MAX_CONNECTIONS = 256;
const LIMITS = { maxHeaderSize: 8192, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };
const PLAIN = 'text/plain; charset=utf-8';

/** Listens. Rejects where the address cannot be had. */
export async function serveWitness(
  service: WitnessService,
  at: { readonly host: string; readonly port: number },
): Promise<WitnessServer> {
  const server = createServer(LIMITS, (request, response) => void answer(service, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, at);
  const { port } = server.address() as AddressInfo; // a TCP listener
  return { port, close: () => closed(server) };
}

async function answer(
  service: WitnessService,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const given = await answerTo(service, request);
    if (given.status === 413) response.shouldKeepAlive = false;
    response
      .writeHead(given.status, { 'content-type': given.type, 'cache-control': 'no-store' })
      .end(given.body);
  } catch (fault) {
    if (request.errored) return void response.destroy(); // the client went away
    service.onFault(fault);
    response.writeHead(500, { 'content-type': PLAIN, connection: 'close' }).end('the witness failed\n');
  }
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answerTo(service: WitnessService, request: IncomingMessage): Promise<Answer> {
  const { method, url = '' } = request;
  if (url === '/add-checkpoint')
    return method === 'POST' ? add(service, request) : says(405, 'POST a checkpoint here');
  const hash = /^\/([0-9a-f]{64})\/checkpoint$/.exec(url)?.[1];
  if (hash === undefined) return says(404, 'there is nothing here');
  if (method !== 'GET' && method !== 'HEAD') return says(405, 'GET a checkpoint here');
  const note = service.memory.latest(hash);
  return note === undefined
    ? says(404, 'nothing of this log was cosigned')
    : { status: 200, type: PLAIN, body: note };
}

async function add({ witness, onAnswer }: WitnessService, request: IncomingMessage): Promise<Answer> {
  const bytes = await bodyOf(request);
  if (!bytes) return says(413, `at most ${MAX_BODY} bytes`);
  const given = witness.addCheckpoint(decodeUtf8(bytes) ?? '');
  onAnswer(given);
  return given;
}

/** The body, or undefined where it is longer than it may be. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    const bytes = part as Buffer; // no encoding is set
    length += bytes.length;
    if (length > MAX_BODY) return void request.resume(); // else the answer would be lost in a reset
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

function says(status: number, what: string): Answer {
  return { status, type: PLAIN, body: `${what}\n` };
}
