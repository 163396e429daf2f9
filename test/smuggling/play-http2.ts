/** Plays cases of HTTP/2, as the frames of one stream. */
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, TYPE } from '../proxy/http2-frames.ts';
import type { Carrier } from './carriers.ts';
import { answersOf, fillIn } from './fill-in.ts';
import { heardOn } from './heard-http2.ts';
import { pseudo } from './http2-row.ts';
import type { Http2Row, Rest } from './http2-row.ts';
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
    const streams = [1, ...(after.also ?? []).map((_, i) => 3 + 2 * i)];
    const { frames } = await speaker.answer(streams);
    speaker.socket.destroy();
    return heardOn(frames, { streams, bodiless: given[1] === 'HEAD' });
  };
  const wanted = { answers: answersOf(row, carrier.name, fill), last: false };
  const heard = await ask(fields, rest);
  return { name, agent, wanted, ...heard, canary: (await ask(CANARY, {})).heard };
}

function framesOf(
  fields: readonly string[],
  { data, trailers, between, also = [], frames }: Rest,
  fill: (text: string) => string,
): Buffer {
  const last = frames && also.length === 0 ? 0 : END_STREAM;
  const ends = data === undefined && !trailers ? last : 0;
  const parts = [...headFrames(block(...fields), ends, between)];
  if (data !== undefined) {
    const payload = Buffer.from(fill(data), 'latin1');
    parts.push(frame(TYPE.DATA, trailers ? 0 : END_STREAM, { stream: 1, payload }));
  }
  if (trailers) {
    const payload = block(...trailers.map(fill));
    parts.push(frame(TYPE.HEADERS, END_HEADERS | END_STREAM, { stream: 1, payload }));
  }
  const further = also.map((given, i) => {
    const payload = block(...given.map(fill));
    return frame(TYPE.HEADERS, END_HEADERS | END_STREAM, { stream: 3 + 2 * i, payload });
  });
  return Buffer.concat([...parts, ...further, ...(frames ?? [])]);
}

/** In one piece, or cut in the middle of a field. */
function headFrames(payload: Buffer, flags: number, between?: readonly Uint8Array[]): readonly Uint8Array[] {
  if (!between) return [frame(TYPE.HEADERS, END_HEADERS | flags, { stream: 1, payload })];
  const at = Math.floor(payload.length / 2);
  return [
    frame(TYPE.HEADERS, flags, { stream: 1, payload: payload.subarray(0, at) }),
    ...between,
    frame(TYPE.CONTINUATION, END_HEADERS, { stream: 1, payload: payload.subarray(at) }),
  ];
}
