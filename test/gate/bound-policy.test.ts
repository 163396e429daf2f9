/** A grant that is valid under one bundle only, while bundles change. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { loadBundle } from '../../src/policy/bundle.ts';
import { serve } from '../e2e/child-sidecar.ts';
import { Stage } from '../e2e/denial-rows.ts';
import { echo, startOrigin } from '../e2e/origin.ts';
import { compiled, PLAYGROUND } from '../e2e/policies.ts';
import { RawAgent } from '../proxy/small-gate.ts';

const BODY = 'hello';
const DENY_NOTHING = { 'other.rego': 'package policy\n\ndeny contains "never" if false\n' };

t.test('no other bundle decides a call whose body came late', async (t) => {
  const origin = await startOrigin(t, echo);
  const bundle = await compiled(PLAYGROUND);
  const on = new Stage(await serve(t, { origins: [origin], settings: { policy: { bundle } } }), origin);
  const { home } = on.sidecar;
  const loaded = await loadBundle(bundle);
  const policy = loaded.ok ? loaded.bundle.identity.digest : '';
  const grant = on.grant({
    policy,
    entry: { content_sha256: createHash('sha256').update(BODY).digest('hex') },
  });
  const lines = [`Content-Length: ${BODY.length}`, 'Expect: 100-continue'];
  const head = on.bytes({ method: 'POST', grant, lines });

  const inTime = new RawAgent(on.sidecar.port('forward'));
  inTime.socket.write(head);
  await inTime.hears('100 Continue');
  inTime.socket.write(BODY);
  await inTime.hears(' 200 ');

  const late = new RawAgent(on.sidecar.port('forward'));
  late.socket.write(head);
  await late.hears('100 Continue');
  home.configure({ policy: { bundle: await compiled(DENY_NOTHING) } });
  t.match(await on.sidecar.reload(), { msg: 'reloaded' });
  const before = origin.bytes();
  late.socket.write(BODY);
  await late.hears('\r\nHTTP/1.1 ');
  t.match(late.heard, / 403 [^]*code=grant_wrong_policy/);
  t.equal(origin.bytes(), before);
  for (const { socket } of [inTime, late]) socket.destroy();
});
