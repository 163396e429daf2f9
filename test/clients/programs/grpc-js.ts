/** All four kinds of gRPC call by grpc-js, permitted and denied. Arguments: the service, `tls` or `clear`, and a grant, which
 * otherwise goes with the proxy of its environment. */
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';

const [service = '', security = 'tls', grant] = process.argv.slice(2);
const trust = security === 'tls' ? credentials.createSsl() : credentials.createInsecure();
const client = new Client(service, trust);
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

function metadata(): Metadata {
  const metadata = new Metadata();
  if (grant !== undefined) metadata.set('writ-grant', grant);
  return metadata;
}

/** Says under `did` what it hears; `of` is the service. */
type Begin = (did: string, of: string, to: Client) => Call;

const unary: Begin = (did, of, to) =>
  to.makeUnaryRequest(`${of}/Unary`, write, read, question, metadata(), (error, piece) =>
    hear(did, error, piece),
  );

const kinds: Readonly<Record<string, Begin>> = {
  unary,
  server: (did, of, to) =>
    to
      .makeServerStreamRequest(`${of}/Server`, write, read, 'go', metadata())
      .on('error', ignore)
      .on('data', (piece: string) => say(did, { piece })),
  client: (did, of, to) => {
    const sent = to.makeClientStreamRequest(`${of}/Client`, write, read, metadata(), (error, piece) =>
      hear(did, error, piece),
    );
    for (const word of ['one', 'two', 'three']) sent.write(word);
    sent.end();
    return sent;
  },
  bidi: (did, of, to) => {
    const both = to.makeBidiStreamRequest(`${of}/Bidi`, write, read, metadata());
    const words = ['two', 'three'];
    both.write('one');
    both.on('error', ignore).on('data', (piece: string) => {
      say(did, { piece });
      const next = words.shift();
      if (next === undefined) both.end();
      else both.write(next);
    });
    return both;
  },
};

function hear(did: string, error: ServiceError | null, piece: string | undefined): void {
  if (error === null) say(did, { piece });
}

for (const [kind, begin] of Object.entries(kinds)) await end(kind, begin(kind, '/test.Echo', client));
for (const [kind, begin] of Object.entries(kinds)) {
  const did = `${kind}, denied`;
  await end(did, begin(did, '/test.Secret', client));
}
if (grant === undefined) {
  const elsewhere = new Client('elsewhere.test:443', trust);
  await end('refused', unary('refused', '/test.Echo', elsewhere));
}
process.exit();
