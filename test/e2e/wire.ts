/** An agent that writes bytes and reads one reply: nothing between the test and the wire. */
import { connect } from 'node:net';

/** A reply, whole or as far as it came. */
export interface Reply {
  readonly status: number;
  /** Lower-case names; repeated values joined with commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it stood on the wire: chunks are not taken apart. */
  readonly body: string;
  /** Whether the connection ended. */
  readonly closed: boolean;
}

/** One request for the forward port, as text; `target` is a whole URL. */
export function forwardHead(method: string, target: string, ...lines: readonly string[]): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${new URL(target).host}`, ...lines, '', ''].join('\r\n');
}

/** Everything that comes back for these bytes, until the other side has said `count` replies with counted bodies. */
export async function exchangeAll(port: number, bytes: string, count: number): Promise<readonly Reply[]> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => undefined).write(bytes, 'latin1');
  const replies: Reply[] = [];
  let heard = '';
  for await (const chunk of socket as AsyncIterable<string>) {
    heard += chunk;
    for (let end = firstEnd(heard); end > 0; end = firstEnd(heard)) {
      const reply = readReply(heard.slice(0, end), false);
      if (reply) replies.push(reply);
      heard = heard.slice(end);
    }
    if (replies.length >= count) break; // which destroys the socket
  }
  return replies;
}

/** Sends bytes (octets as latin1); resolves with the first reply once its counted body is whole, or the connection ends. */
export function exchange(port: number, bytes: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let heard = '';
    const settle = (closed: boolean): void => {
      socket.destroy();
      const reply = readReply(heard, closed);
      if (reply) resolve(reply);
      else reject(new Error(`no reply, but ${JSON.stringify(heard)}`));
    };
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      heard += chunk;
      if (isWhole(heard)) settle(false);
    });
    socket.on('error', () => undefined).on('close', () => settle(true));
    socket.write(bytes, 'latin1');
  });
}

/** The last reply of a text that may begin with interim ones (1xx). */
export function readReply(text: string, closed: boolean): Reply | undefined {
  const [, status = '', head = '', body = ''] = FINAL.exec(text) ?? [];
  if (status === '') return undefined;
  const headers: Record<string, string> = {};
  for (const line of head.split('\r\n').filter((each) => each !== '')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { status: Number(status), headers, body: Buffer.from(body, 'latin1').toString('utf8'), closed };
}

const FINAL =
  /^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)*HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n(.*)$/s;

function isWhole(text: string): boolean {
  const reply = readReply(text, false);
  const length = reply?.headers['content-length'];
  return reply !== undefined && length !== undefined && Buffer.byteLength(reply.body) >= Number(length);
}

/** Where the first reply of a text ends; 0 while it is not whole. All ours and the tests' are ASCII. */
function firstEnd(text: string): number {
  const head = text.indexOf('\r\n\r\n') + 4;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, head))?.[1];
  const end = head + Number(length);
  return head > 3 && length !== undefined && text.length >= end ? end : 0;
}
