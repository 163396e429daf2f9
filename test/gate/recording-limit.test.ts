/** How many denials are recorded, for whom, and what becomes of the rest. */
import t from 'tap';
import { RecordingLimit } from '../../src/gate/recording-limit.ts';

const rate = { burst: 3, perSecond: 2 };

/** What becomes of so many denials at one moment. */
function many(limit: RecordingLimit, count: number, { holder, now = 0 }: { holder?: string; now?: number } = {}): string {
  const words = { record: 'r', aggregate: 'a', drop: 'd' } as const;
  return Array.from({ length: count }, () => words[limit.admit(holder, 'grant_missing', now)]).join('');
} // prettier-ignore

t.test('a burst is recorded, then a rate, never more than a burst at once', (t) => {
  const limit = new RecordingLimit(rate);
  t.equal(many(limit, 5), 'rrraa');
  t.equal(many(limit, 1, { now: 1000 }), 'a', 'what was aggregated counts against the rate as well');
  t.equal(many(new RecordingLimit(rate), 4, { now: 1e9 }), 'rrra', 'a long silence saves nothing up');
  const quiet = new RecordingLimit(rate);
  many(quiet, 3);
  t.equal(many(quiet, 2, { now: 500 }), 'ra', 'one more after half a second');
  t.equal(many(quiet, 9, { now: 60_000 }), 'rrraaaaaa');
  t.end();
});

t.test('strangers share one bucket, holders have their own', (t) => {
  const limit = new RecordingLimit(rate);
  t.equal(many(limit, 4), 'rrra');
  t.equal(many(limit, 4, { holder: 'urn:a agent:1' }), 'rrra');
  t.equal(many(limit, 1, { holder: 'urn:a agent:2' }), 'r');
  t.equal(many(limit, 1), 'a');
  t.end();
});

t.test('far above the burst nothing is signed either, until it has rested', (t) => {
  const limit = new RecordingLimit(rate);
  t.equal(many(limit, 36), `rrr${'a'.repeat(30)}ddd`);
  t.equal(many(limit, 1, { now: 500 }), 'a', 'a dropped one costs nothing');
  t.equal(many(limit, 1, { now: 20_000 }), 'r');
  t.end();
});

t.test('what is not recorded is counted, by code, once', (t) => {
  const limit = new RecordingLimit({ burst: 1, perSecond: 1 });
  t.equal(limit.counts, undefined);
  many(limit, 13);
  limit.admit(undefined, 'grant_expired', 0);
  limit.count('malformed_400');
  const { counts = {} } = limit;
  t.strictSame(counts, { grant_expired: 1, grant_missing: 12, malformed_400: 1 });
  limit.count('malformed_400');
  t.strictSame(limit.counts, { ...counts, malformed_400: 2 }, 'kept until they are on record');
  limit.recorded(counts);
  t.strictSame(limit.counts, { malformed_400: 1 }, 'what came meanwhile is still to be recorded');
  limit.recorded({ malformed_400: 1 });
  t.equal(limit.counts, undefined);
  t.end();
});

t.test('many holders do not fill the memory', (t) => {
  const limit = new RecordingLimit({ burst: 1, perSecond: 1 });
  for (let i = 0; i < 10_001; i++) limit.admit(`holder ${i}`, 'grant_expired', 0);
  t.equal(limit.admit('holder 10000', 'grant_expired', 0), 'aggregate', 'the last is remembered');
  t.equal(
    limit.admit('holder 0', 'grant_expired', 0),
    'record',
    'the one that was longest silent is forgotten',
  );
  t.end();
});
