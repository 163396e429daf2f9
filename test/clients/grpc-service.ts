/** A gRPC service over TLS, and what must hold of any client that calls it through the sidecar. */
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import type { Test } from 'tap';
import { assertReceipt } from '../e2e/denied.ts';
import type { Teardown } from '../e2e/home.ts';
import { identity } from './site.ts';
import { assertOutcome, QUESTION, startSidecar } from './stage.ts';
import type { Stage } from './stage.ts';
import { talk } from './talk.ts';

/** A service that listens. */
interface Service {
  readonly port: number;
  /** `https://localhost:port`. */
  readonly url: string;
  /** The method of every call that reached it, and whether a grant did. */
  readonly seen: readonly string[];
  /** The client has the last answer of a server's stream: the next may leave. */
  advance(): void;
}

const KINDS = ['unary', 'server', 'client', 'bidi'] as const;

/** What each kind of call must have answered. */
const ANSWERS: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  unary: [QUESTION],
  server: ['go 0', 'go 1', 'go 2'],
  client: ['one+two+three'],
  bidi: ['echo one', 'echo two', 'echo three'],
};

/** A client program, and the environment that tells it of the proxy. */
export interface GrpcClient {
  readonly program: readonly [program: string, file: string];
  environment(stage: Omit<Stage, 'site'>): Readonly<Record<string, string>>;
}

/** Runs a client against service and sidecar: all four kinds, a call that is denied, and one to another host. */
export async function checkClient(t: Test, client: GrpcClient): Promise<void> {
  const service = await startService(t);
  const stage = await startSidecar(t, { origins: [service] });
  const { home } = stage;
  const grant = stage.grant({ entry: { paths: ['/test.Echo/*'] } });
  const env = { ...stage.environment(client.environment(stage)), grpc_proxy: stage.proxy(grant) };
  const pieces: Record<string, string[]> = {};
  const heard = await talk([...client.program, `localhost:${service.port}`], env, ({ did, piece }) => {
    if (piece === undefined) return;
    (pieces[did] ??= []).push(piece);
    if (did === 'server') service.advance();
  });
  for (const kind of KINDS) {
    t.strictSame(pieces[kind], ANSWERS[kind], kind);
    t.equal(heard.get(kind)?.status, status.OK, `${kind}: OK`);
    await assertOutcome(t, home, heard.get(kind)?.headers?.['writ-decision']);
  }
  t.equal(heard.get('unary')?.headers?.['x-trailer'], '1', 'trailers arrive');
  const { status: denied, body = '' } = heard.get('denied') ?? {};
  t.equal(denied, status.PERMISSION_DENIED, 'a denied call is PERMISSION_DENIED');
  assertReceipt(t, home, { body, code: 'scope_path' });
  t.equal(heard.get('refused')?.status, status.UNAVAILABLE, 'a refused CONNECT is UNAVAILABLE');
  t.strictSame(service.seen, KINDS, 'what reached the service');
}

async function startService(t: Teardown): Promise<Service> {
  const seen: string[] = [];
  let advance: () => void = () => undefined;
  const note = (kind: string, { metadata }: Pick<ServerUnaryCall<string, string>, 'metadata'>): void => {
    seen.push(metadata.get('writ-grant').length > 0 ? `${kind} with a grant` : kind);
  };
  const server = new Server();
  server.addService(SERVICE, {
    unary(call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) {
      note('unary', call);
      call.metadata.set('x-trailer', '1');
      answer(null, call.request, call.metadata);
    },
    async server(call: ServerWritableStream<string, string>) {
      note('server', call);
      for (let i = 0; i < ANSWERS.server.length; i++) {
        const taken = new Promise<void>((resolve) => (advance = resolve));
        call.write(`${call.request} ${i}`);
        await taken;
      }
      call.end();
    },
    async client(call: ServerReadableStream<string, string>, answer: sendUnaryData<string>) {
      note('client', call);
      const heard: string[] = [];
      call.on('data', (text: string) => heard.push(text));
      await once(call, 'end');
      answer(null, heard.join('+'));
    },
    bidi(call: ServerDuplexStream<string, string>) {
      note('bidi', call);
      call.on('data', (text: string) => call.write(`echo ${text}`));
      call.on('end', () => call.end());
    },
  });
  const { key, cert } = identity;
  const secure = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  t.teardown(() => server.forceShutdown());
  return { port, url: `https://localhost:${port}`, seen, advance: () => advance() };
}

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const SERVICE = {
  unary: { path: '/test.Echo/Unary', requestStream: false, responseStream: false, ...text },
  server: { path: '/test.Echo/Server', requestStream: false, responseStream: true, ...text },
  client: { path: '/test.Echo/Client', requestStream: true, responseStream: false, ...text },
  bidi: { path: '/test.Echo/Bidi', requestStream: true, responseStream: true, ...text },
};
