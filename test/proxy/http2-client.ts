/** An agent and an origin that speak HTTP/2, for tests: node:http2 on both ends, everything as it came. */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Stream, Settings } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Teardown } from './small-gate.ts';

/** What came back on one stream. */
export interface Heard {
  /** Without pseudo-headers, as they came. */
  readonly headers: readonly string[];
  readonly status: number;
  readonly informational: readonly number[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** The head was the whole response. */
  readonly whole: boolean;
  /** RFC 9113 §7; 0 where it ended well. */
  readonly reset: number;
}

/** A session of an agent; it goes with the test. */
export function startAgent(t: Teardown, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  return session;
}

/** The fields of a request. */
export function fields(method: string, path: string, ...headers: readonly string[]): readonly string[] {
  return [':method', method, ':scheme', 'http', ':authority', 'sidecar', ':path', path, ...headers];
}

/** Sends a request with this body, and waits for the end of its stream. */
export function call(
  session: ClientHttp2Session,
  request: readonly string[],
  body?: string | Uint8Array,
): Promise<Heard> {
  const stream = session.request(request, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return hear(stream);
}

/** Everything that comes on a stream until it closes. */
export async function hear(stream: ClientHttp2Stream): Promise<Heard> {
  const informational: number[] = [];
  let [headers, trailers]: readonly (readonly string[])[] = [[], []];
  let [status, body, whole] = [0, '', false];
  stream.on('headers', (given) => informational.push(given[':status'] ?? 0));
  stream.on('response', (given, flags, raw) => {
    status = given[':status'] ?? 0;
    headers = raw.slice(2);
    whole = (flags & 1) === 1; // END_STREAM
  });
  stream.on('trailers', (_given, _flags, raw) => (trailers = raw));
  stream.setEncoding('latin1').on('data', (text: string) => (body += text));
  stream.on('error', () => undefined); // `reset` tells of it
  await new Promise<void>((resolve) => stream.once('close', resolve));
  return {
    headers: headers ?? [],
    status,
    informational,
    body,
    trailers: trailers ?? [],
    whole,
    reset: stream.rstCode ?? 0,
  };
}

/** An origin that speaks HTTP/2 in the clear; `answer` gets each stream and its fields. */
export async function startHttp2Origin(
  t: Teardown,
  answer: (stream: ServerHttp2Stream, request: readonly string[]) => void,
  settings: Settings = {},
): Promise<{ port: number; sessions: () => number }> {
  const server = createServer({ settings });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, _headers, _flags, raw) => {
    stream.on('error', () => undefined);
    answer(stream, raw);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sessions: () => sessions.size }; // it listens on TCP
}

/** The value under a name in `name, value, …`. */
export function valueOf(list: readonly string[], name: string): string | undefined {
  const at = list.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? undefined : list[at + 1];
}
