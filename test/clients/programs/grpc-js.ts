/** All four kinds of gRPC call by grpc-js, told of the proxy by its environment alone. Argument: the service. */
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { once } from 'node:events';

const [service = ''] = process.argv.slice(2);
const client = new Client(service, credentials.createSsl());
const question = Array.from({ length: 20_000 }, (_, i) => i).join(' ');

const say = (did: string, what: object): void => console.log(JSON.stringify({ did, ...what }));
const write = (value: string): Buffer => Buffer.from(value);
const read = (bytes: Buffer): string => bytes.toString();

interface Call {
  on(event: 'metadata', listener: (metadata: Metadata) => void): unknown;
  on(event: 'status', listener: (status: StatusObject) => void): unknown;
}

/** Says how a call ended: its status, head and trailers together, and the denial where it is one. */
async function end(did: string, call: Call): Promise<void> {
  const headers: Record<string, string> = {};
  const add = (metadata: Metadata): void => {
    for (const [name, value] of Object.entries(metadata.getMap())) headers[name] = String(value);
  };
  call.on('metadata', add);
  const ended = await new Promise<StatusObject>((resolve) => call.on('status', resolve));
  add(ended.metadata);
  say(did, { status: ended.code, headers, body: headers['writ-problem-bin'] ?? '' });
}

const ignore = (): void => undefined;

function unary(did: string, to: Client, path: string): Promise<void> {
  const heard = (_error: ServiceError | null, answer?: string): void => {
    if (answer !== undefined) say(did, { piece: answer });
  };
  return end(did, to.makeUnaryRequest(path, write, read, question, new Metadata(), heard));
}

await unary('unary', client, '/test.Echo/Unary');

const server = client.makeServerStreamRequest('/test.Echo/Server', write, read, 'go');
server.on('error', ignore).on('data', (piece: string) => say('server', { piece }));
await end('server', server);

const sent = client.makeClientStreamRequest('/test.Echo/Client', write, read, (_error, piece) =>
  say('client', { piece }),
);
for (const word of ['one', 'two', 'three']) sent.write(word);
sent.end();
await end('client', sent);

const both = client.makeBidiStreamRequest('/test.Echo/Bidi', write, read);
const ended = end('bidi', both);
for (const word of ['one', 'two', 'three']) {
  both.write(word);
  const [piece] = (await once(both, 'data')) as [string]; // as `read` has it
  say('bidi', { piece });
}
both.end();
both.resume();
await ended;

await unary('denied', client, '/test.Secret/Unary');
await unary('refused', new Client('elsewhere.test:443', credentials.createSsl()), '/test.Echo/Unary');
process.exit();
