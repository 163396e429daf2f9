/** Reads what came on the streams of a connection, as strictly as it can be read. */
import { HeaderDecoder } from '../proxy/hpack.ts';
import { END_HEADERS, END_STREAM, TYPE } from '../proxy/http2-frames.ts';
import type { Frame } from '../proxy/http2-frames.ts';
import type { Heard } from './heard.ts';
import { hasLength, readFields } from './http2-fields.ts';
import type { Fields } from './http2-fields.ts';

/** In trailers: what frames a body, or poses as ours. */
const UNFIT = /^(?:content-length|proxy-status|writ-.*)$/;

/** A stream as far as it was read. */
interface Reading {
  final?: Fields;
  body: string;
  ended: boolean;
}

/** The replies on these streams that are whole, in the streams' order; `rest` is what is not a whole reply. */
export function heardOn(
  frames: readonly Frame[],
  { streams, bodiless }: { readonly streams: readonly number[]; readonly bodiless: boolean },
): { heard: readonly Heard[]; rest: string } {
  const decoder = new HeaderDecoder();
  const readings = new Map<number, Reading>(streams.map((stream) => [stream, { body: '', ended: false }]));
  let [block, rest] = [Buffer.alloc(0), ''];
  for (const { type, flags, stream, payload } of frames) {
    const tells = type === TYPE.HEADERS || type === TYPE.CONTINUATION || type === TYPE.DATA;
    if (!tells && type !== TYPE.PUSH_PROMISE) continue;
    const reading = readings.get(stream) ?? { body: '', ended: true };
    if (reading.ended || type === TYPE.PUSH_PROMISE) rest += `(frame ${type} on ${stream})`;
    if (type === TYPE.DATA) reading.body += payload.toString('latin1');
    else block = Buffer.concat([block, payload]);
    reading.ended ||= (flags & END_STREAM) > 0 && type !== TYPE.CONTINUATION;
    if (type === TYPE.DATA || !(flags & END_HEADERS)) continue;
    rest += takeFields(reading, decoder.decode(block));
    block = Buffer.alloc(0);
  }
  const replies = [...readings.values()].map((reading) => replyOf(reading, bodiless));
  return {
    heard: replies.flatMap((reply) => reply.heard),
    rest: rest + replies.map((reply) => reply.rest).join(''),
  };
}

/** A head, or trailers; what is neither is said. */
function takeFields(reading: Reading, flat: readonly string[] | undefined): string {
  const fields = readFields(flat, reading.final ? [] : [':status']);
  if (!fields || (reading.final && fields.list.some(([name]) => UNFIT.test(name))))
    return `(fields ${JSON.stringify(flat)})`;
  if (!reading.final && !fields.pseudo.get(':status')?.startsWith('1')) reading.final = fields;
  return '';
}

function replyOf(
  { final, body, ended }: Reading,
  bodiless: boolean,
): { heard: readonly Heard[]; rest: string } {
  if (!final || !ended) return { heard: [], rest: body };
  const status = Number(final.pseudo.get(':status'));
  const counted = bodiless || status === 304 || hasLength(final, body.length);
  const heard = { status, headers: Object.fromEntries(final.list), body };
  return { heard: [heard], rest: counted ? '' : `(${body.length} octets)` };
}
