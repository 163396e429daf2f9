/** gRPC through the proxy, with grpc-js on both ends: every kind of call, and every way it can end. */
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ChannelCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import t from 'tap';
import { grpcStatusOf } from '../../src/proxy/grpc.ts';
import { lastEnded, startSidecar } from './small-gate.ts';
import type { Plan, Sidecar, Teardown } from './small-gate.ts';

const plain = {
  requestSerialize: (text: string) => Buffer.from(text),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (text: string) => Buffer.from(text),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const SERVICE = {
  unary: { path: '/test.Echo/Unary', requestStream: false, responseStream: false, ...plain },
  server: { path: '/test.Echo/Server', requestStream: false, responseStream: true, ...plain },
  client: { path: '/test.Echo/Client', requestStream: true, responseStream: false, ...plain },
  bidi: { path: '/test.Echo/Bidi', requestStream: true, responseStream: true, ...plain },
};

/** What the service does with `fail`, which is its own answer and no fault of the way. */
function failure(): Partial<StatusObject> {
  const metadata = new Metadata();
  metadata.set('x-why', 'asked');
  return { code: status.FAILED_PRECONDITION, details: 'as you wish: 100 %', metadata };
}

async function startService(t: Teardown): Promise<number> {
  const server = new Server();
  server.addService(SERVICE, {
    unary(call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) {
      if (call.request === 'fail') return answer(failure());
      call.sendMetadata(call.metadata);
      const trailers = new Metadata();
      trailers.set('x-count', '1');
      trailers.set('x-bytes-bin', Buffer.from([0, 255]));
      return answer(null, `echo ${call.request}`, trailers);
    },
    server(call: ServerWritableStream<string, string>) {
      for (let i = 0; i < 3; i++) call.write(`${call.request} ${i}`);
      if (call.request === 'fail') call.emit('error', failure());
      else call.end();
    },
    client(call: ServerReadableStream<string, string>, answer: sendUnaryData<string>) {
      const heard: string[] = [];
      call.on('data', (text: string) => heard.push(text));
      call.on('end', () => answer(null, heard.join('+')));
    },
    bidi(call: ServerDuplexStream<string, string>) {
      call.on('data', (text: string) => call.write(`echo ${text}`));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  t.teardown(() => server.forceShutdown());
  return port;
}

interface Stage {
  readonly client: Client;
  readonly sidecar: Sidecar;
}

async function startStage(t: Teardown, plan: Plan = {}): Promise<Stage> {
  const port = await startService(t);
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    settings: { choose: () => 'h2' },
    ...plan,
  });
  const insecure: ChannelCredentials = credentials.createInsecure();
  const client = new Client(`127.0.0.1:${sidecar.http2Port}`, insecure);
  t.teardown(() => client.close());
  return { client, sidecar };
}

interface Unary {
  readonly error: ServiceError | null;
  readonly answer: string | undefined;
  readonly metadata: Metadata | undefined;
  readonly trailers: Metadata | undefined;
}

function unary({ client }: Stage, request: string, metadata = new Metadata()): Promise<Unary> {
  const { path, requestSerialize, responseDeserialize } = SERVICE.unary;
  return new Promise((resolve) => {
    let first: Metadata | undefined;
    let last: Metadata | undefined;
    let given: { error: ServiceError | null; answer: string | undefined } | undefined;
    const settle = (): void => {
      if (given && last) resolve({ ...given, metadata: first, trailers: last });
    };
    const sent = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      (error, answer) => ((given = { error, answer }), settle()),
    );
    sent.on('metadata', (heard) => (first = heard));
    sent.on('status', (ended) => ((last = ended.metadata), settle()));
  });
}

t.test('a unary call keeps its metadata, its answer and its trailers', async (t) => {
  const stage = await startStage(t);
  const metadata = new Metadata();
  metadata.set('x-tag', 'a');
  const heard = await unary(stage, 'hello', metadata);
  t.equal(heard.error, null);
  t.equal(heard.answer, 'echo hello');
  t.same(heard.metadata?.get('x-tag'), ['a']);
  t.match(heard.metadata?.get('writ-decision'), [/^permit; /]);
  t.same(heard.trailers?.get('x-count'), ['1']);
  t.same(heard.trailers?.get('x-bytes-bin'), [Buffer.from([0, 255])]);
  await stage.sidecar.finished(1);
  t.match(lastEnded(stage.sidecar), {
    ended: 'complete',
    status: 200,
    grpc_status: status.OK,
    request: { bytes: 10 },
    response: { trailers: { sha256: /^[0-9a-f]{64}$/, sha3_512: /^[0-9a-f]{128}$/ } },
  });
});

t.test('an error of the service arrives as it was, also where it is all that there is', async (t) => {
  const stage = await startStage(t);
  const { error } = await unary(stage, 'fail');
  t.match(error, { code: status.FAILED_PRECONDITION, details: 'as you wish: 100 %' });
  t.same(error?.metadata.get('x-why'), ['asked']);
  const { path, requestSerialize, responseDeserialize } = SERVICE.server;
  const stream = stage.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, 'fail');
  const heard: string[] = [];
  stream.on('data', (text: string) => heard.push(text));
  const [late] = (await once(stream, 'error').catch((thrown: unknown) => [thrown])) as [ServiceError]; // grpc-js's event
  t.match(late, { code: status.FAILED_PRECONDITION, details: 'as you wish: 100 %' });
  t.same(heard, ['fail 0', 'fail 1', 'fail 2']);
  await stage.sidecar.finished(2);
  for (const { grpc_status } of stage.sidecar.ended) t.equal(grpc_status, status.FAILED_PRECONDITION);
});

t.test('what is no status of gRPC is on record as none', async (t) => {
  for (const [trailers, expected] of [
    [['grpc-status', '17'], 17],
    [['grpc-status', '0', 'grpc-status', '2'], undefined],
    [['grpc-status', '1e3'], undefined],
    [['grpc-status', '-1'], undefined],
    [['grpc-status', '1000'], undefined],
    [['grpc-status', ''], undefined],
    [['x', 'grpc-status', 'y', '1'], undefined],
    [[], undefined],
  ] as const)
    t.equal(grpcStatusOf(trailers), expected, trailers.join());
});

t.test('a server streams', async (t) => {
  const stage = await startStage(t);
  const { path, requestSerialize, responseDeserialize } = SERVICE.server;
  const stream = stage.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, 'go');
  const heard: string[] = [];
  stream.on('data', (text: string) => heard.push(text));
  const [ended] = (await once(stream, 'status')) as [StatusObject]; // grpc-js's event
  t.equal(ended.code, status.OK);
  t.same(heard, ['go 0', 'go 1', 'go 2']);
});

t.test('a client streams', async (t) => {
  const stage = await startStage(t);
  const { path, requestSerialize, responseDeserialize } = SERVICE.client;
  const answer = await new Promise((resolve, reject) => {
    const stream = stage.client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      (error, heard) => (error ? reject(error) : resolve(heard)),
    );
    for (const text of ['a', 'b', 'c']) stream.write(text);
    stream.end();
  });
  t.equal(answer, 'a+b+c');
});

t.test('both stream, and neither waits for the other to end', async (t) => {
  const stage = await startStage(t);
  const { path, requestSerialize, responseDeserialize } = SERVICE.bidi;
  const stream = stage.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  for (const text of ['one', 'two', 'three']) {
    stream.write(text);
    t.same(await once(stream, 'data'), [`echo ${text}`]);
  }
  stream.end();
  stream.resume();
  const [ended] = (await once(stream, 'status')) as [StatusObject]; // grpc-js's event
  t.equal(ended.code, status.OK);
  await stage.sidecar.finished(1);
  t.equal(lastEnded(stage.sidecar).ended, 'complete');
});

t.test('a denied call is PERMISSION_DENIED and names its code and its decision', async (t) => {
  const stage = await startStage(t, { decide: () => 'policy_denied' });
  const { error } = await unary(stage, 'hello');
  t.equal(error?.code, status.PERMISSION_DENIED);
  t.match(error?.details, /^Policy refused the call, policy_denied, urn:uuid:/);
  t.match(error?.metadata.get('writ-decision'), [/^deny; /]);
  const [document = ''] = error?.metadata.get('writ-problem-bin') ?? [];
  t.match(JSON.parse(String(document)), { status: 403, code: 'policy_denied', receipt: null });
});

t.test('an upstream that is not there is UNAVAILABLE', async (t) => {
  const stage = await startStage(t, { routes: [{ upstream: 'http://127.0.0.1:1' }] });
  const { error } = await unary(stage, 'hello');
  t.equal(error?.code, status.UNAVAILABLE);
});

t.test('a cancelled call ends upstream, a cut one at the client', async (t) => {
  const leases: { end(code: 'lease_expired'): void }[] = [];
  const stage = await startStage(t, { lease: (lease) => leases.push(lease) });
  const { path, requestSerialize, responseDeserialize } = SERVICE.bidi;
  const open = () => stage.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const cancelled = open();
  cancelled.write('one');
  await once(cancelled, 'data');
  cancelled.on('error', () => undefined).cancel();
  await stage.sidecar.finished(1);
  t.equal(lastEnded(stage.sidecar).ended, 'client-abort');
  const cut = open();
  cut.write('one');
  await once(cut, 'data');
  leases.at(-1)?.end('lease_expired');
  const [error] = (await once(cut, 'error').catch((thrown: unknown) => [thrown])) as [ServiceError]; // grpc-js's event
  t.equal(error.code, status.CANCELLED);
  await stage.sidecar.finished(2);
  t.match(lastEnded(stage.sidecar), { ended: 'cut', by: 'lease_expired', answered: true });
});
