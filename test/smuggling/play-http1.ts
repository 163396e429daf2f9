/** Plays cases of HTTP/1, as the bytes of a connection. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { direct } from './carriers.ts';
import type { Carrier } from './carriers.ts';
import { answersOf, fillIn } from './fill-in.ts';
import { readReplies } from './heard.ts';
import type { Played } from './judge.ts';
import { request } from './row.ts';
import type { Answer, Row } from './row.ts';

/** By then something hangs. */
const HANG_MS = 60_000;

const LAST = request('GET', '/last', ['Connection: close']);
const CANARY = request('GET', '/canary', ['Connection: close']);

/** Plays a case, another request behind it, and one on a connection of its own. */
export async function playHttp1(carrier: Carrier, row: Row, agent: string): Promise<Played> {
  const [name, bytes, , { ending, goesOn, outside = false, bodiless = false } = {}] = row;
  const grant = carrier.home.grant({ sub: agent });
  const fill = (text: string): string => fillIn(text, carrier, grant);
  const answers = answersOf(row, carrier.name, fill);
  const open = answers.length > 0 && (goesOn ?? answers.every(leavesOpen));
  const socket = await (outside ? direct(carrier.port) : carrier.open(grant));
  const { heard, rest } = readReplies(
    await talk(socket, fill(ending ? bytes : bytes + LAST), ending === 'fin'),
    bodiless,
  );
  const canary = readReplies(await talk(await carrier.open(grant), fill(CANARY), false)).heard;
  return { name, agent, wanted: { answers, last: !ending && open }, heard, rest, canary };
}

/** Sends octets, and hears everything until the other side closes. */
async function talk(socket: Socket, latin1: string, fin: boolean): Promise<string> {
  let heard = '';
  const timer = setTimeout(() => {
    heard += '(it hangs)';
    socket.destroy();
  }, HANG_MS);
  socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
  if (fin) socket.end(latin1, 'latin1');
  else socket.write(latin1, 'latin1');
  if (!socket.closed) await once(socket, 'close');
  clearTimeout(timer);
  return heard;
}

/** After a permit, and after a denial of a call that broke no rule, the connection goes on. */
function leavesOpen(answer: Answer): boolean {
  if (typeof answer === 'object') return answer.then !== 'cut' && answer.then !== 'torn';
  return /^(?:grant_(?!ambiguous)|scope_|policy_)/.test(String(answer));
}
