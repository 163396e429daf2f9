/** A sidecar before origins that never finish, and what all of them hold once their agents are gone. */
import { readdirSync, readlinkSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { WebSocket } from 'ws';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import type { Teardown } from '../e2e/home.ts';
import { startOrigin } from '../e2e/origin.ts';
import { compiled } from '../e2e/policies.ts';
import { rootFile } from '../e2e/tls-origin.ts';
import { startEcho } from '../proxy/websocket-server.ts';
import { IMAGE_ENVIRONMENT, IMAGE_FLAGS } from '../image-flags.ts';
import type { Reachable, Waiting } from './insides.ts';

/** What clients need to know. */
export interface Stage {
  readonly sidecar: ChildSidecar;
  /** `127.0.0.1:port` of an origin in the clear, of a WebSocket server; `localhost:port` of two with TLS. */
  readonly plain: string;
  readonly webSocket: string;
  readonly tls: string;
  readonly passthrough: string;
  /** For everything there. */
  readonly grant: string;
  /** The same for another agent. */
  readonly others: string;
  /** The same for one body only. */
  bound(sha256: string): string;
  /** Connections that any origin still has. */
  originSockets(): number;
}

const UNHURRIED = { 'leaks.rego': 'package policy\n\nallow := true\n' };
const vectors = new URL('../vectors/tls/', import.meta.url);
const insides = fileURLToPath(new URL('insides.ts', import.meta.url));

/** What origins answer, on HTTP/1.1 and HTTP/2. */
export type Answer = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

/** Starts it; it goes with `t`. */
export async function startStage(
  t: Teardown,
  answer: Answer = answerInPart,
  onWebSocket: (socket: WebSocket) => void = () => undefined,
): Promise<Stage> {
  const plain = await startOrigin(t, answer);
  const webSocket = await startEcho(t, onWebSocket);
  const tls = await startTls(t, answer);
  const passthrough = await startTls(t, answer);
  const origins = [
    plain,
    { port: webSocket.port, url: `http://127.0.0.1:${webSocket.port}` },
    ...[tls, passthrough].map(({ port }) => ({ port, url: `https://localhost:${port}` })),
  ];
  const settings = {
    tls: { passthrough: [`localhost:${passthrough.port}`] },
    upstream: { allow: origins.map(({ port }) => `127.0.0.1:${port}`), extra_roots: rootFile },
    log: { level: 'info' },
    policy: { bundle: await compiled(UNHURRIED) }, // the default one ends a call after 300 s
  };
  const home = await makeHome(t, { origins, settings });
  const nodeArgs = [...IMAGE_FLAGS, '--import', insides];
  const sidecar = await ChildSidecar.start(t, home, { nodeArgs, env: IMAGE_ENVIRONMENT });
  const grant = (entry: Readonly<Record<string, string>> = {}, sub = 'agent:test'): string =>
    home.grant({ sub, seconds: 3600, entry: { actions: ['GET', 'POST', 'CONNECT', 'UPGRADE'], ...entry } });
  return {
    sidecar,
    plain: `127.0.0.1:${plain.port}`,
    webSocket: `127.0.0.1:${webSocket.port}`,
    tls: `localhost:${tls.port}`,
    passthrough: `localhost:${passthrough.port}`,
    grant: grant(),
    others: grant({}, 'agent:other'),
    bound: (sha256) => grant({ content_sha256: sha256 }),
    originSockets: () =>
      [plain, webSocket, tls, passthrough].reduce((sum, { sockets }) => sum + sockets.size, 0),
  };
}

/** What is open, as the system and the origins count it. */
export interface Open extends Waiting {
  readonly descriptors: number;
  readonly sockets: number;
  /** In the origins. */
  readonly upstream: number;
}

/** Asks now. */
export async function open({ sidecar, originSockets }: Stage): Promise<Open> {
  const from = sidecar.lines.length;
  sidecar.signal('SIGUSR2');
  const { resources } = (await sidecar.says('waiting', from)) as unknown as Waiting; // written by the preload
  const folder = `/proc/${sidecar.pid}/fd`;
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  const sockets = targets.filter((target) => target.startsWith('socket:')).length;
  return { resources, descriptors: targets.length, sockets, upstream: originSockets() };
}

/** What the sidecar still holds; asking takes a second. */
export async function reachable({ sidecar }: Stage): Promise<Reachable> {
  const from = sidecar.lines.length;
  sidecar.signal('SIGWINCH');
  return (await sidecar.says('reachable', from)) as unknown as Reachable; // written by the preload
}

/** `/hang` is never answered, of anything else comes a beginning: a body's part, an event. */
function answerInPart(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  request.on('error', () => undefined).resume();
  response.on('error', () => undefined);
  if (request.url === '/hang') return;
  const type = request.url === '/events' ? 'text/event-stream' : 'text/plain';
  response.setHeader('content-type', type);
  (response as ServerResponse).write('data: one\n\n'); // both have it, in types that do not join
}

async function startTls(
  t: Teardown,
  answer: Answer,
): Promise<{ port: number; sockets: ReadonlySet<Socket> }> {
  const sockets = new Set<Socket>();
  const read = (name: string): Buffer => readFileSync(new URL(name, vectors));
  const server = createSecureServer(
    { key: read('leaf.key.pem'), cert: read('localhost.pem'), allowHTTP1: true },
    answer,
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: Socket) => socket.on('error', () => undefined));
  server.on('sessionError', () => undefined).on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets }; // it listens on TCP
}
