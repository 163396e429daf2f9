/** A gRPC service, and what must hold of any client that calls it through the sidecar. */
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
import { assertWay } from './ways.ts';
import type { Way } from './ways.ts';

/** A service that listens. */
interface Service {
  readonly port: number;
  /** `https://localhost:port`, or `http://`. */
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

/** How it is on record. */
const ENDED = {
  ended: 'complete',
  grpc_status: status.OK,
  response: { trailers: { sha256: /^[0-9a-f]{64}$/ } },
};

/** Runs a client on each way: all four kinds, permitted and denied, and a tunnel to another host. */
export async function checkClient(t: Test, client: Command, skip: string | false = false): Promise<void> {
  const [secure, clear] = [await startService(t, true), await startService(t, false)];
  const settings = { routes: [{ upstream: clear.url }], tls: { plain_in_tunnel: true } };
  const stage = await startSidecar(t, { origins: [secure, clear], settings });
  const { forward, redirected, reverse } = stage.ways;
  for (const [way, service] of [
    [forward, secure],
    [forward, clear],
    [redirected, secure],
    [reverse, clear],
  ] as const) {
    const name = `${service === secure ? 'in TLS' : 'in the clear'}, ${way.name}`;
    t.test(name, { skip: skip || way.skip }, (t) => checkWay(t, client, { way, stage, service }));
  }
}

async function checkWay(t: Test, client: Command, given: Given): Promise<void> {
  const { way, stage, service } = given;
  const { home } = stage;
  const { args, env } = directions(given);
  const entries = home.entries().length;
  const pieces: Record<string, string[]> = {};
  const from = service.seen.length;
  const heard = await talk([...client, ...args], env, ({ did, piece }) => {
    if (piece === undefined) return;
    (pieces[did] ??= []).push(piece);
    if (did === 'server') service.advance();
  });
  for (const kind of KINDS) {
    t.strictSame(pieces[kind], ANSWERS[kind], kind);
    t.equal(heard.get(kind)?.status, status.OK, `${kind}: OK`);
    await assertOutcome(t, home, heard.get(kind)?.headers?.['writ-decision'], ENDED);
    const { status: denied, body = '' } = heard.get(`${kind}, denied`) ?? {};
    t.equal(denied, status.PERMISSION_DENIED, `${kind}: a denied call is PERMISSION_DENIED`);
    t.strictSame(pieces[`${kind}, denied`], undefined, 'and nothing else');
    assertReceipt(t, home, { body, code: 'scope_path' });
  }
  t.equal(heard.get('unary')?.headers?.['x-trailer'], '1', 'trailers arrive');
  const refused = way === stage.ways.forward ? status.UNAVAILABLE : undefined;
  t.equal(heard.get('refused')?.status, refused, 'a refused CONNECT is UNAVAILABLE');
  assertWay(t, home, way, entries);
  t.strictSame(service.seen.slice(from), KINDS, 'what reached the service');
}

interface Given {
  readonly way: Way;
  readonly stage: Omit<Stage, 'site'>;
  readonly service: Service;
}

/** What a client is told: the service, whether it has TLS, and the grant where no proxy brings it. */
function directions({ way, stage, service }: Given): {
  readonly args: Command;
  readonly env: NodeJS.ProcessEnv;
} {
  const grant = stage.grant({ entry: { paths: ['/test.Echo/*'] } });
  const { HTTPS_PROXY, ...told } = way.environment({ trust: 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', grant });
  const { host } = new URL(way === stage.ways.reverse ? stage.reverse : service.url); // its paths take no prefix
  const args = [host, service.url.startsWith('https:') ? 'tls' : 'clear'];
  if (HTTPS_PROXY) return { args, env: { ...told, grpc_proxy: HTTPS_PROXY } };
  return { args: [...args, grant], env: told };
}

type Command = readonly string[];

async function startService(t: Teardown, secure: boolean): Promise<Service> {
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
  const trust = secure
    ? ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }])
    : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', trust, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  t.teardown(() => server.forceShutdown());
  return { port, url: `${secure ? 'https' : 'http'}://localhost:${port}`, seen, advance: () => advance() };
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
