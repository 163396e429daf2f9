/** The right of a call to go on, under a clock that the test turns. */
import t from 'tap';
import type { DenialCode } from '../../src/denial/table.ts';
import { Leases } from '../../src/gate/lease.ts';
import type { Clock } from '../../src/gate/outside.ts';

const START = 1_800_000_000_000;

/** A clock whose wall time and timers are moved by hand, each by itself. */
class HandClock implements Clock {
  readonly #timers = new Set<{ readonly at: number; readonly then: () => void }>();
  #wall = START;
  #monotonic = 0;

  wall(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(milliseconds: number, then: () => void): () => void {
    const timer = { at: this.#monotonic + milliseconds, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Time passes for those who look at the clock; no timer has come yet. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Timers come. */
  ring(milliseconds: number): void {
    this.#monotonic += milliseconds;
    for (const timer of [...this.#timers]) if (timer.at <= this.#monotonic) timer.then();
  }
}

t.test('a lease ends when its grant expires, also where its timer is late', async (t) => {
  const clock = new HandClock();
  const lease = new Leases(clock).open('key', START + 1000);
  const heard: DenialCode[] = [];
  lease.onEnd((code) => heard.push(code));
  clock.jump(999);
  t.equal(lease.ended, undefined);
  clock.jump(1);
  t.equal(lease.alive, false, 'the clock was asked, not only its timer');
  t.equal(lease.ended, 'lease_expired');
  t.strictSame(heard, ['lease_expired'], 'and whoever runs under it has heard, once');
  t.equal(clock.timers, 0);
});

t.test('a timer ends it where nobody asks', async (t) => {
  const clock = new HandClock();
  const leases = new Leases(clock);
  const heard: DenialCode[] = [];
  leases.open('key', START + 1000).onEnd((code) => heard.push(code));
  clock.ring(1000);
  t.strictSame(heard, ['lease_expired']);
  t.equal(leases.size, 0);
});

t.test(
  'a lease that is opened too late has ended, and one that is asked before its timer comes ends all the same',
  async (t) => {
    const clock = new HandClock();
    const leases = new Leases(clock);
    t.equal(leases.open('key', START).ended, 'lease_expired');
    const long = leases.open('key', START + 2 ** 40);
    clock.jump(2 ** 40);
    t.equal(long.ended, 'lease_expired');
  },
);

t.test('the first reason stands, and limits are only narrowed', async (t) => {
  const clock = new HandClock();
  const lease = new Leases(clock).open('key', START + 60_000);
  lease.limit({ responseBytes: 10 });
  lease.limit({ responseBytes: 100, seconds: 5 });
  lease.countResponse(10);
  t.ok(lease.alive);
  lease.countResponse(1);
  t.equal(lease.ended, 'lease_response_bytes');
  clock.ring(5000);
  clock.jump(60_000);
  t.equal(lease.ended, 'lease_response_bytes');
});

t.test('a call that is over is told nothing', async (t) => {
  const clock = new HandClock();
  const leases = new Leases(clock);
  const lease = leases.open('key', START + 1000);
  lease.onEnd(() => t.fail('told'));
  lease.close();
  clock.ring(1000);
  clock.jump(1000);
  leases.endWhere(() => true, 'lease_stopped');
  t.equal(lease.ended, undefined);
});
