import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { serve } from './child-sidecar.ts';

/** A call without a grant, which is refused and said in the sidecar's own log. */
async function refused(port: number): Promise<number | undefined> {
  const asked = request({ host: '127.0.0.1', port, path: 'http://upstream.test/', agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage]; // the event's one argument
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

t.test('a sidecar whose log nobody reads any more goes on, and stops when it is told to', async (t) => {
  const sidecar = await serve(t);
  const port = sidecar.port('forward');
  sidecar.deafen();
  for (let i = 0; i < 5; i++) t.equal(await refused(port), 403);
  t.strictSame(await sidecar.stop(), { code: 0, signal: null });
});
