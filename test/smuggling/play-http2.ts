/** Plays cases of HTTP/2, as the frames of one stream. */
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, TYPE } from '../proxy/http2-frames.ts';
import type { Carrier } from './carriers.ts';
import { pseudo } from './cases-http2.ts';
import type { Http2Row, Rest } from './cases-http2.ts';
import { answersOf, fillIn } from './fill-in.ts';
import { heardOn } from './heard-http2.ts';
import type { Played } from './judge.ts';

const CANARY = pseudo(':path', '/canary');

/** Plays a case, and a request on a connection of its own. */
export async function playHttp2(carrier: Carrier, row: Http2Row, agent: string): Promise<Played> {
  const [name, fields, , rest = {}] = row;
  const grant = carrier.home.grant({ sub: agent });
  const fill = (text: string): string => fillIn(text, carrier, grant);
  const ask = async (given: readonly string[], after: Rest): Promise<ReturnType<typeof heardOn>> => {
    const speaker = new FrameAgent(await carrier.openHttp2(grant));
    speaker.socket.write(framesOf(given.map(fill), after, fill));
    const { frames } = await speaker.answer();
    speaker.socket.destroy();
    return heardOn(frames, given[1] === 'HEAD');
  };
  const wanted = { answers: answersOf(row, carrier.name, fill), last: false };
  const heard = await ask(fields, rest);
  return { name, agent, wanted, ...heard, canary: (await ask(CANARY, {})).heard };
}

function framesOf(
  fields: readonly string[],
  { data, trailers, frames }: Rest,
  fill: (text: string) => string,
): Buffer {
  const last = frames ? 0 : END_STREAM;
  const ends = data === undefined && !trailers ? last : 0;
  const parts = [frame(TYPE.HEADERS, END_HEADERS | ends, { stream: 1, payload: block(...fields) })];
  if (data !== undefined) {
    const payload = Buffer.from(fill(data), 'latin1');
    parts.push(frame(TYPE.DATA, trailers ? 0 : END_STREAM, { stream: 1, payload }));
  }
  if (trailers) {
    const payload = block(...trailers.map(fill));
    parts.push(frame(TYPE.HEADERS, END_HEADERS | END_STREAM, { stream: 1, payload }));
  }
  return Buffer.concat([...parts, ...(frames ?? [])]);
}
