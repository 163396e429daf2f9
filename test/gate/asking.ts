/** Agents that make one call each, on any carrier, and hear what comes until their connection closes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { forwardHead } from '../e2e/wire.ts';
import { frame, handshakeBytes } from '../proxy/websocket-server.ts';
import { call } from '../proxy/http2-client.ts';
import type { Heard } from '../proxy/http2-client.ts';
import type { Asked, Stage } from './harmed.ts';

/** Everything that comes on a connection, and what is answered to it. */
export function hear(socket: Socket, answer: (heard: string) => string | Buffer | undefined = () => undefined): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    socket.setEncoding('latin1').on('error', () => undefined).on('close', () => resolve(heard));
    socket.on('data', (chunk: string) => {
      heard += chunk;
      const next = answer(heard);
      if (next !== undefined) socket.write(next);
    });
  });
} // prettier-ignore

/** These bytes. */
export function send(port: number, bytes: string): Asked {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return { socket, heard: hear(socket) };
}

/** What is asked inside of a connection, and how. */
export interface Inside {
  readonly alpn?: 'h2' | 'http/1.1';
  /** What the server's certificate is verified with. */
  readonly ca?: string;
  /** Of a request on HTTP/2: GET /a where not given. */
  readonly method?: string;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  /** Of its grant. */
  readonly entry?: Readonly<Record<string, string>>;
}

/** One call on HTTP/2, told as HTTP/1.1 would tell it; empty where there was no head. The connection goes with it. */
async function hearHttp2(socket: Socket, place: readonly string[], given: Inside): Promise<string> {
  const { method = 'GET', path = '/a', fields = [], body } = given;
  socket.on('error', () => undefined);
  const session = connectHttp2('http://sidecar', { createConnection: () => socket });
  session.on('error', () => undefined);
  const gone = new Promise<undefined>((resolve) => session.once('close', () => resolve(undefined)));
  try {
    const heard = await Promise.race([
      call(session, [':method', method, ':path', path, ...place, ...fields], body),
      gone,
    ]);
    return heard && heard.status > 0 ? asText(heard) : '';
  } catch {
    return ''; // it was gone before it could be asked
  } finally {
    session.destroy();
    socket.destroy();
  }
}

function asText({ status, headers, body }: Heard): string {
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1] ?? ''}\r\n`] : []));
  return `HTTP/1.1 ${status} \r\n${lines.join('')}\r\n${body}`;
}

/** One call on HTTP/2 with prior knowledge; `path` for the reverse port, `authority` for the transparent one. */
export function priorKnowledge(port: number, authority: string, given: Inside): Asked {
  const socket = connect(port, '127.0.0.1');
  return { socket, heard: hearHttp2(socket, [':authority', authority, ':scheme', 'http'], given) };
}

/** One call in TLS on a connection that is there: what it heard, empty where it came to nothing. */
async function hearInTls(socket: Socket, authority: string, inside: Inside): Promise<string> {
  const { alpn = 'http/1.1', ca, method = 'GET', path = '/a', fields = [], body = '' } = inside;
  const options = { socket, servername: 'localhost', ALPNProtocols: [alpn] };
  const tls = connectTls(ca === undefined ? { ...options, rejectUnauthorized: false } : { ...options, ca });
  if (alpn === 'h2') return hearHttp2(tls, [':authority', authority, ':scheme', 'https'], inside);
  const lines = fields.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${fields[i + 1]}`] : []));
  const framing = body === '' ? [] : [`Content-Length: ${body.length}`];
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${authority}`,
    ...lines,
    ...framing,
    'Connection: close',
  ];
  tls.write([...head, '', body].join('\r\n'));
  return hear(tls);
}

/** One call in TLS on the transparent port. */
export function redirected({ ports, real: { home } }: Stage, authority: string, inside: Inside = {}): Asked {
  const socket = connect(ports.transparent, '127.0.0.1').on('error', () => undefined);
  const grant = home.grant({ entry: { ...inside.entry } });
  const fields = ['writ-grant', grant, ...(inside.fields ?? [])];
  return { socket, heard: hearInTls(socket, authority, { ...inside, fields }) };
}

/** A tunnel, and one request in TLS inside of it; the reply to the CONNECT where there is no tunnel. */
export async function tunnel({ ports, real: { home } }: Stage, authority: string, actions: readonly string[], inside: Inside = {}): Promise<Asked> {
  const grant = home.grant({ entry: { actions: [...actions], ...inside.entry } });
  const outer = connect(ports.forward, '127.0.0.1');
  outer.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nWrit-Grant: ${grant}\r\n\r\n`);
  const closed = once(outer, 'close');
  outer.on('error', () => undefined);
  const heard = (async () => {
    const [first] = await Promise.race([once(outer, 'data'), closed]) as [unknown];
    if (!Buffer.isBuffer(first)) return '';
    if (!first.toString('latin1').startsWith('HTTP/1.1 200')) return first.toString('latin1') + await hear(outer);
    return (await hearInTls(outer, authority, inside)) || 'broken tunnel';
  })();
  return { socket: outer, heard };
} // prettier-ignore

/** A body that a grant can bind. */
export const bodyOf = (length: number): { bytes: string; sha256: string } => {
  const bytes = 'x'.repeat(length);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
};

/** A body of this length, which its grant binds. */
export function post({ ports, real }: Stage, length: number): Asked {
  const { bytes, sha256 } = bodyOf(length);
  const grant = real.home.grant({ entry: { content_sha256: sha256, max_calls: 1 } });
  const lines = [`Writ-Grant: ${grant}`, `Content-Length: ${length}`, 'Connection: close'];
  return send(ports.forward, `${forwardHead('POST', `${real.origin.url}/a`, ...lines)}${bytes}`);
}

/** A body of this length. */
export function stream({ ports, real }: Stage, length: number, origin = real.origin.url): Asked {
  const lines = [`Writ-Grant: ${real.home.grant()}`, `Content-Length: ${length}`, 'Connection: close'];
  return send(ports.forward, `${forwardHead('POST', `${origin}/a`, ...lines)}${'x'.repeat(length)}`);
}

/** A GET under a grant with this entry. */
export function get({ ports, real }: Stage, entry = {}, path = '/a'): Asked {
  const grant = real.home.grant({ entry });
  return send(ports.forward, forwardHead('GET', `${real.origin.url}${path}`, `Writ-Grant: ${grant}`, 'Connection: close'));
} // prettier-ignore

/** A handshake, a message, and a Close frame once both were heard. */
export function webSocket({ ports, echo, real }: Stage): Asked {
  const socket = connect(ports.forward, '127.0.0.1');
  socket.write(handshakeBytes(echo, `Writ-Grant: ${real.home.grant({ entry: { actions: ['UPGRADE'] } })}`));
  let said = 0;
  const heard = hear(socket, (text) => {
    if (said === 0 && text.includes('\r\n\r\n')) return (said = 1), frame('hello', { masked: true });
    if (said === 1 && text.includes('hello')) return (said = 2), frame('\x03\xe8', { masked: true, first: 0x88 });
    return undefined;
  });
  return { socket, heard };
} // prettier-ignore
