/** Bodies of a gibibyte pass both ways in a few mebibytes of memory. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import { hasProc, serve } from './child-sidecar.ts';
import type { ChildSidecar } from './child-sidecar.ts';
import { startOrigin } from './origin.ts';
import type { Origin } from './origin.ts';

const MIB = 1024 * 1024;
const CHUNK = Buffer.alloc(MIB, 'writ');
const CHUNKS = 1024;
/** Of 1 GiB of `writwrit…`: `yes writ | tr -d '\n' | head -c 1073741824 | openssl dgst -sha3-512`. */
const SHA3 =
  '19b529626c237ef29004316e01b1236fc9919a5d02f23f5e93c8203b4c9f88ef93d0e74a093a1200a4d944c811cbe1cf10ed4113f4ffc123bd4012cc3ad45439';
/** KiB. */
const MAX_GROWTH = 50 * 1024;

const quick = process.env['WRIT_TEST_QUICK'] === '1' && 'WRIT_TEST_QUICK=1';
const skip = quick || (!hasProc && 'there is no /proc on this machine');

/** Writes so many chunks, as fast as they are taken. */
async function pour(stream: { write(chunk: Buffer): boolean; end(): unknown }, chunks: number): Promise<void> {
  for (let i = 0; i < chunks; i++) if (!stream.write(CHUNK)) await once(stream as unknown as ServerResponse, 'drain'); // both are Writables
  stream.end();
} // prettier-ignore

async function drink(stream: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') await pour(response, Number(request.url?.slice(1)));
  else response.end(String(await drink(request)));
}

/** One call whose body is so many chunks, down or up. */
async function transfer(sidecar: ChildSidecar, origin: Origin, way: { method: 'GET' | 'PUT'; chunks: number }): Promise<number> {
  const { method, chunks } = way;
  const headers = { 'writ-grant': sidecar.home.grant(), host: `127.0.0.1:${origin.port}` };
  const path = `${origin.url}/${chunks}`;
  const call = httpRequest({ host: '127.0.0.1', port: sidecar.port('forward'), method, path, headers });
  const answered = once(call, 'response') as Promise<[IncomingMessage]>;
  if (method === 'PUT') await pour(call, chunks);
  else call.end();
  const [response] = await answered;
  if (method === 'GET') return drink(response);
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  return Number(text);
} // prettier-ignore

t.test('1 GiB down and up', { skip }, async (t) => {
  const origin = await startOrigin(t, (request, response) => void answer(request, response));
  const sidecar = await serve(t, { origins: [origin] });
  for (const method of ['GET', 'PUT'] as const) await transfer(sidecar, origin, { method, chunks: 1 });
  const before = sidecar.memory('VmRSS');
  for (const method of ['GET', 'PUT'] as const) {
    t.equal(await transfer(sidecar, origin, { method, chunks: CHUNKS }), CHUNKS * MIB, method);
  }
  const grown = sidecar.memory('VmHWM') - before;
  t.ok(grown <= MAX_GROWTH, `the sidecar grew by ${Math.round(grown / 1024)} MiB at its peak`);

  const whole = { bytes: CHUNKS * MIB, sha3_512: SHA3 };
  await sidecar.stop();
  const outcomes = sidecar.home.entries().filter(({ type }) => type === 'outcome');
  t.match(outcomes.slice(2), [{ is: { response: whole } }, { is: { request: whole } }]);
});
