import t from 'tap';
import { FloodPenalty } from '../../src/proxy/flood-penalty.ts';

t.test('each flood of an agent doubles its wait, up to 30 s', (t) => {
  let now = 0;
  const penalty = new FloodPenalty({ monotonic: () => now });
  t.equal(penalty.wait('grant'), 0);
  for (const wait of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    penalty.strike('grant');
    t.equal(penalty.wait('grant'), wait);
  }
  t.equal(penalty.wait('another grant'), 0, 'nobody else waits');
  now += 29_999;
  t.equal(penalty.wait('grant'), 1);
  now += 1;
  t.equal(penalty.wait('grant'), 0);
  now += 60_000;
  penalty.strike('grant');
  t.equal(penalty.wait('grant'), 1000, 'and after a quiet minute it begins anew');
  t.end();
});
