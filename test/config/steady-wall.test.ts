import t from 'tap';
import { SteadyWall } from '../../src/config/steady-wall.ts';

/** Two clocks that a test sets. */
function clocks(): { wall: number; monotonic: number; readonly steady: SteadyWall } {
  const set = { wall: 1_000_000, monotonic: 50 };
  const steady = new SteadyWall(
    () => set.wall,
    () => set.monotonic,
  );
  return Object.assign(set, { steady });
}

t.test('time goes on as the machine says', (t) => {
  const set = clocks();
  for (const forward of [0, 1, 5000]) {
    set.wall += forward;
    set.monotonic += forward;
    t.equal(set.steady.now(), set.wall);
    t.equal(set.steady.behind(), 0);
  }
  t.end();
});

t.test('a clock that is set forward is believed: grants end early, which is the safe side', (t) => {
  const set = clocks();
  set.wall += 3_600_000;
  t.equal(set.steady.now(), 4_600_000);
  set.monotonic += 10;
  set.wall += 10;
  t.equal(set.steady.now(), 4_600_010);
  t.end();
});

t.test('a clock that is set back takes nothing back', (t) => {
  const set = clocks();
  set.wall -= 600_000;
  set.monotonic += 1000;
  t.equal(set.steady.now(), 1_001_000);
  t.equal(set.steady.behind(), 601_000);
  set.wall += 601_500;
  set.monotonic += 500;
  t.equal(set.steady.now(), 1_001_500, 'until it has caught up');
  t.equal(set.steady.behind(), 0);
  t.end();
});
