/** Reads what came back on stream 1 of a connection, as strictly as it can be read. */
import { HeaderDecoder } from '../proxy/hpack.ts';
import { END_HEADERS, END_STREAM, TYPE } from '../proxy/http2-frames.ts';
import type { Frame } from '../proxy/http2-frames.ts';
import type { Heard } from './heard.ts';
import { hasLength, readFields } from './http2-fields.ts';
import type { Fields } from './http2-fields.ts';

/** In trailers: what frames a body, or poses as ours. */
const UNFIT = /^(?:content-length|proxy-status|writ-.*)$/;

/** The reply where it is whole; `rest` is what is not a whole reply. */
export function heardOn(frames: readonly Frame[], head: boolean): { heard: readonly Heard[]; rest: string } {
  const decoder = new HeaderDecoder();
  let final: Fields | undefined;
  let [body, block, rest, ended] = ['', Buffer.alloc(0), '', false];
  for (const { type, flags, stream, payload } of frames) {
    const tells = type === TYPE.HEADERS || type === TYPE.CONTINUATION || type === TYPE.DATA;
    if (!tells && type !== TYPE.PUSH_PROMISE) continue;
    if (stream !== 1 || ended || type === TYPE.PUSH_PROMISE) rest += `(frame ${type} on ${stream})`;
    if (type === TYPE.DATA) body += payload.toString('latin1');
    else block = Buffer.concat([block, payload]);
    ended = ended || ((flags & END_STREAM) > 0 && type !== TYPE.CONTINUATION);
    if (type === TYPE.DATA || !(flags & END_HEADERS)) continue;
    const flat = decoder.decode(block);
    block = Buffer.alloc(0);
    const fields = readFields(flat, final ? [] : [':status']);
    if (!fields || (final && fields.list.some(([name]) => UNFIT.test(name))))
      rest += `(fields ${JSON.stringify(flat)})`;
    else if (!final && !fields.pseudo.get(':status')?.startsWith('1')) final = fields;
  }
  if (!final || !ended) return { heard: [], rest: rest + body };
  const status = Number(final.pseudo.get(':status'));
  if (!head && status !== 304 && !hasLength(final, body.length)) rest += `(${body.length} octets)`;
  return { heard: [{ status, headers: Object.fromEntries(final.list), body }], rest };
}
