import t from 'tap';
import { Metrics } from '../../src/console/metrics.ts';
import type { WitnessReport } from '../../src/lineage/witness/rounds.ts';
import type { TimestampReport } from '../../src/lineage/timestamp/timestamp.ts';
import { Readiness } from '../../src/console/readiness.ts';
import type { Finished } from '../../src/gate/observer.ts';

const health = () =>
  Promise.resolve({ state: 'writing' as const, size: 7, waiting: 2, free: 1e9, room: 'scarce' as const });

interface Over {
  readonly health?: () => Promise<never>;
  readonly witnesses?: () => WitnessReport | undefined;
  readonly timestamp?: () => TimestampReport | undefined;
}

function make(over: Over = {}): {
  metrics: Metrics;
  readiness: Readiness;
} {
  const readiness = new Readiness();
  const metrics = new Metrics({
    hosts: new Set(['api.test']),
    readiness,
    lineage: { health: over.health ?? health },
    version: '1.2.3',
    witnesses: over.witnesses ?? (() => undefined),
    timestamp: over.timestamp ?? (() => undefined),
    wall: () => 90_000,
  });
  return { metrics, readiness };
}

const call = {
  id: 'x',
  carrier: 'forward',
  method: 'GET',
  host: 'api.test',
  path: '/',
  reasons: [],
  ms: 2,
} as const;
const streamed = (bytes: number) => ({ bytes, sha256: '', sha3_512: '' });
const end: Finished = {
  id: 'x',
  carrier: 'forward',
  host: 'api.test',
  permit: 1,
  request: streamed(10),
  response: streamed(20),
  duration_ms: 30,
  ended: 'complete',
  answered: true,
};

async function lines(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const rows = (await metrics.text()).split('\n').filter((line) => line.startsWith('writ_'));
  return new Map(rows.map((line) => [line.replace(/ [^ ]+$/, ''), Number(line.split(' ').at(-1))]));
}

t.test('calls are counted by verdict, code and carrier', async (t) => {
  const { metrics } = make();
  metrics.decided({ ...call, verdict: 'permit' });
  metrics.decided({ ...call, verdict: 'deny', code: 'grant_missing' });
  metrics.decided({ ...call, verdict: 'deny', code: 'grant_missing', carrier: 'reverse' });
  const seen = await lines(metrics);
  t.equal(seen.get('writ_calls_total{verdict="permit",code="none",carrier="forward"}'), 1);
  t.equal(seen.get('writ_calls_total{verdict="deny",code="grant_missing",carrier="forward"}'), 1);
  t.equal(seen.get('writ_calls_total{verdict="deny",code="grant_missing",carrier="reverse"}'), 1);
  t.equal(seen.get('writ_decision_seconds_bucket{le="0.0025",verdict="permit"}'), 1);
  t.equal(seen.get('writ_decision_seconds_bucket{le="0.001",verdict="permit"}'), 0);
  t.equal(seen.get('writ_calls_running'), 1);
});

t.test('outcomes, bytes and cuts are counted', async (t) => {
  const { metrics } = make();
  metrics.decided({ ...call, verdict: 'permit' });
  metrics.finished({ ...end, ended: 'cut', by: 'lease_seconds' });
  const seen = await lines(metrics);
  t.equal(seen.get('writ_outcomes_total{ended="cut",host="api.test"}'), 1);
  t.equal(seen.get('writ_leases_cut_total{code="lease_seconds"}'), 1);
  t.equal(seen.get('writ_body_bytes_total{direction="request",host="api.test"}'), 10);
  t.equal(seen.get('writ_body_bytes_total{direction="response",host="api.test"}'), 20);
  t.equal(seen.get('writ_calls_running'), 0);
});

t.test('tokens are added up over all models, and an answer that does not say counts nothing', async (t) => {
  const { metrics } = make();
  const said = { provider: 'openai', state: 'counted' } as const;
  metrics.finished({ ...end, usage: { ...said, input_tokens: 11, output_tokens: 7 } });
  metrics.finished({ ...end, usage: { ...said, provider: 'anthropic', output_tokens: 5 } });
  metrics.finished({ ...end, usage: { ...said, state: 'absent' } });
  metrics.finished(end);
  const seen = await lines(metrics);
  t.equal(seen.get('writ_llm_tokens_total{kind="input"}'), 11);
  t.equal(seen.get('writ_llm_tokens_total{kind="output"}'), 12);
});

t.test('a host that the settings do not name is `other`, however many there are', async (t) => {
  const { metrics } = make();
  for (let i = 0; i < 1000; i++) metrics.finished({ ...end, host: `h${i}.evil.example` });
  const text = await metrics.text();
  t.notMatch(text, 'evil');
  t.match(text, 'writ_outcomes_total{ended="complete",host="other"} 1000');
});

t.test('bytes that were not HTTP, and denials that were only counted', async (t) => {
  const { metrics } = make();
  metrics.malformed({ carrier: 'forward', status: 431 });
  metrics.aggregated('policy_denied');
  const seen = await lines(metrics);
  t.equal(seen.get('writ_malformed_total{carrier="forward",status="431"}'), 1);
  t.equal(seen.get('writ_denials_aggregated_total{code="policy_denied"}'), 1);
});

t.test('the log and readiness are read anew at each scrape', async (t) => {
  const { metrics, readiness } = make();
  t.equal((await lines(metrics)).get('writ_ready{part="log"}'), 0);
  readiness.good('log');
  const seen = await lines(metrics);
  t.equal(seen.get('writ_ready{part="log"}'), 1);
  t.equal(seen.get('writ_log_entries'), 7);
  t.equal(seen.get('writ_log_waiting'), 2);
  t.equal(seen.get('writ_log_free_bytes'), 1e9);
  t.equal(seen.get('writ_log_room'), 2);
  t.equal(seen.get('writ_log_writing'), 1);
  t.equal(seen.get('writ_info{version="1.2.3"}'), 1);
});

t.test('a log that does not answer reads as not writing, and the scrape goes on', async (t) => {
  const { metrics } = make({ health: () => Promise.reject(new Error('gone')) });
  t.equal((await lines(metrics)).get('writ_log_writing'), 0);
});

t.test('witnesses are counted by what they said, and the last quorum’s age is told', async (t) => {
  const witnesses: WitnessReport['witnesses'] = (['cosigned', 'cosigned', 'unreachable'] as const).map(
    (said, i) => ({ name: `w${i}`, url: 'http://127.0.0.1:1/', said, size: 7 }),
  );
  const report: WitnessReport = { quorum: 'held', size: 7, since: 60_000, witnesses };
  const text = await make({ witnesses: () => report }).metrics.text();
  t.match(text, '\nwrit_witnesses{said="cosigned"} 2\n');
  t.match(text, '\nwrit_witnesses{said="unreachable"} 1\n');
  t.match(text, '\nwrit_witness_cosigned_entries 7\n');
  t.match(text, '\nwrit_witness_pending_seconds 30\n');
  t.match(await make().metrics.text(), '\nwrit_witness_pending_seconds 0\n', 'where none is asked');
});

t.test('inputs that were lost are counted', async (t) => {
  const { metrics } = make();
  metrics.inputsLost(3);
  metrics.inputsLost(1);
  t.equal((await lines(metrics)).get('writ_inputs_lost_total'), 4);
});

t.test('the age of the newest timestamp is told', async (t) => {
  const seen = await lines(make({ timestamp: () => ({ said: 'granted', size: 7, since: 60_000 }) }).metrics);
  t.equal(seen.get('writ_timestamp_entries'), 7);
  t.equal(seen.get('writ_timestamp_pending_seconds'), 30);
  t.equal((await lines(make().metrics)).get('writ_timestamp_pending_seconds'), 0, 'where none is asked');
});
