import t from 'tap';
import { FloodPenalty } from '../../../src/proxy/agent/flood-penalty.ts';

const GRANT = { from: 'writ-grant', text: 'token' } as const;

t.test('each flood of an agent doubles its wait, up to 30 s', (t) => {
  let now = 0;
  const penalty = new FloodPenalty({ monotonic: () => now });
  t.equal(penalty.wait(GRANT), 0);
  for (const wait of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    penalty.strike(GRANT);
    t.equal(penalty.wait(GRANT), wait);
  }
  t.equal(penalty.wait({ from: 'writ-grant', text: 'another' }), 0, 'nobody else waits');
  now += 29_999;
  t.equal(penalty.wait(GRANT), 1);
  now += 1;
  t.equal(penalty.wait(GRANT), 0);
  now += 60_000;
  penalty.strike(GRANT);
  t.equal(penalty.wait(GRANT), 1000, 'and after a quiet minute it begins anew');
  t.end();
});

t.test('an agent is known by its grant, however a header spells it', (t) => {
  const penalty = new FloodPenalty({ monotonic: () => 0 });
  penalty.strike({ from: 'proxy-authorization', text: 'Bearer token' });
  const basic = Buffer.from('grant:token').toString('base64');
  for (const text of ['Bearer token', 'bearer  token', `BASIC ${basic}`])
    t.equal(penalty.wait({ from: 'proxy-authorization', text }), 1000, text);
  t.equal(penalty.wait(GRANT), 1000);
  t.equal(penalty.wait(undefined), 0);
  t.end();
});
