import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, TYPE } from '../proxy/http2-frames.ts';
import { audit } from './audit.ts';
import { startCarrier } from './carriers.ts';
import type { Carrier } from './carriers.ts';
import { http2Rows } from './cases-http2.ts';
import type { Http2Row, Rest } from './cases-http2.ts';
import type { Heard } from './heard.ts';
import { faultsOf, titleOf } from './judge.ts';
import type { Played } from './judge.ts';
import { AT_ONCE, fillIn, inParallel } from './run.ts';

t.setTimeout(180_000);

t.test('what the origin receives over HTTP/2 is what the log says, request for request', async (t) => {
  const carrier = await startCarrier(t, 'tunnel');
  const played = await inParallel(AT_ONCE, http2Rows, (row, i) => play(carrier, row, `agent:${i}`));
  const codes = new Map(
    played.flatMap(({ heard }) => heard).map((reply) => [codeOf(reply.body), reply.body]),
  );
  codes.delete(undefined);
  for (const [code, body] of codes) {
    const { authentic, anchored } = verifyDenial(node, body, carrier.home.trust());
    t.ok(authentic.proven && anchored.proven, `${code}: proven`, { authentic, anchored });
  }
  await carrier.sidecar.stop();
  const { letOut, faults } = audit(carrier.home, carrier.origin.received);
  t.strictSame(carrier.origin.dirty, [], 'the origin received nothing but requests');
  t.strictSame(faults, [], 'each of them is what one permit says, once');
  const byAgent = Map.groupBy(letOut, ({ agent }) => agent);
  for (const one of played)
    t.strictSame(faultsOf(one, byAgent.get(one.agent) ?? []), [], `${one.name}: ${titleOf(one.wanted)}`);
  t.comment(`HTTP/2: ${played.length} cases, ${letOut.length} requests let out`);
});

async function play(carrier: Carrier, row: Http2Row, agent: string): Promise<Played> {
  const [name, fields, expected, rest = {}] = row;
  const grant = carrier.home.grant({ sub: agent });
  const fill = (text: string): string => fillIn(text, carrier, grant);
  const answer = typeof expected === 'object' ? { permit: fill(expected.permit) } : expected;
  const ask = async (given: readonly string[], after: Rest): Promise<readonly Heard[]> => {
    const speaker = new FrameAgent(await carrier.openHttp2(grant));
    speaker.socket.write(framesOf(given.map(fill), after, fill));
    const { text } = await speaker.answer();
    speaker.socket.destroy();
    return text === '' ? [] : [heardOf(text)];
  };
  const heard = await ask(fields, rest);
  const canary = await ask(
    [':method', 'GET', ':scheme', 'https', ':authority', '{host}', ':path', '/canary'],
    {},
  );
  return { name, agent, wanted: { answers: [answer], last: false }, heard, rest: '', canary };
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

/** Without its head, which is compressed: the body says enough. The origin's names the trace, which is the call's id. */
function heardOf(latin1: string): Heard {
  const code = codeOf(latin1);
  const [, trace = ''] = /"trace":"00-([0-9a-f]{32})-/.exec(latin1) ?? [];
  const id = trace.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const decision = code ? `deny; id="x"; code=${code}` : `permit; id="${id}"`;
  return { status: code ? 403 : 200, headers: { 'writ-decision': decision }, body: latin1 };
}

function codeOf(body: string): string | undefined {
  return /^\{"type":"urn:writ:denial:.*?"code":"(\w+)"/.exec(body)?.[1] ?? /"code":"(\w+)"/.exec(body)?.[1];
}
