/** Those who watch: each hears everything, in order, and none can stop the others. */
import t from 'tap';
import { makeLog } from '../../src/config/log.ts';
import type { Log } from '../../src/config/log.ts';
import type { Decided, Finished, Observer } from '../../src/gate/observer.ts';
import { joinObservers, logObserver } from '../../src/sidecar/observers.ts';

const nothing = { bytes: 0, sha256: '', sha3_512: '' };
const decided: Decided = {
  id: 'i',
  carrier: 'forward',
  method: 'GET',
  verdict: 'permit',
  reasons: [],
  ms: 1,
  seq: 3,
};
const finished: Finished = { id: 'i', carrier: 'forward', host: 'h', permit: 3, answered: true, ended: 'complete', duration_ms: 1, request: nothing, response: nothing }; // prettier-ignore

function lines(): { log: Log; said: () => readonly Record<string, unknown>[] } {
  const written: string[] = [];
  const log = makeLog('debug', { write: (line) => written.push(line) });
  return { log, said: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

function listening(heard: string[], name: string): Observer {
  return {
    decided: ({ verdict }) => void heard.push(`${name} ${verdict}`),
    finished: ({ ended }) => void heard.push(`${name} ${ended}`),
    tunnelled: ({ port }) => void heard.push(`${name} ${port}`),
    handshake: ({ cause }) => void heard.push(`${name} ${cause}`),
    malformed: ({ status }) => void heard.push(`${name} ${status}`),
    shed: ({ what }) => void heard.push(`${name} ${what}`),
    aggregated: (code) => void heard.push(`${name} ${code}`),
  };
}

t.test('all hear of everything', (t) => {
  const heard: string[] = [];
  const joined = joinObservers([listening(heard, 'a'), listening(heard, 'b')], lines().log);
  joined.decided(decided);
  joined.finished(finished);
  joined.tunnelled({ id: 'x', host: 'a.test', port: 443, seq: 5 });
  joined.handshake({ host: 'a.test', cause: 'untrusted', detail: '' });
  joined.malformed({ carrier: 'forward', status: 400, why: 'x' });
  joined.shed({ carrier: 'forward', what: 'stream' });
  joined.aggregated('grant_missing');
  const events = ['permit', 'complete', '443', 'untrusted', '400', 'stream', 'grant_missing'];
  t.strictSame(heard, events.flatMap((event) => [`a ${event}`, `b ${event}`]));
  t.end();
}); // prettier-ignore

t.test('one that throws is named, and stops nobody', (t) => {
  const heard: string[] = [];
  const { log, said } = lines();
  const broken = (): never => {
    throw new Error('a full terminal');
  };
  const first = {
    ...{ decided: broken, finished: broken, malformed: broken, aggregated: broken },
    ...{ tunnelled: broken, handshake: broken, shed: broken },
  };
  const joined = joinObservers([first, listening(heard, 'b')], log);
  joined.decided(decided);
  joined.finished(finished);
  joined.malformed({ carrier: 'forward', status: 400, why: 'x' });
  joined.aggregated('grant_missing');
  t.strictSame(heard, ['b permit', 'b complete', 'b 400', 'b grant_missing']);
  t.equal(said().length, 4);
  t.match(said()[0], { level: 'error', msg: 'an observer failed', cause: /a full terminal/ });
  t.end();
});

t.test('the operator’s log tells denials from faults', (t) => {
  const { log, said } = lines();
  const observer = logObserver(log);
  const denial = { ...decided, verdict: 'deny' } as const;
  observer.decided(decided);
  observer.decided({ ...denial, code: 'grant_missing', detail: 'no grant header' });
  const { seq: _none, ...counted } = denial;
  observer.decided({ ...counted, code: 'grant_missing', detail: 'one of a flood' });
  observer.decided({ ...counted, code: 'log_unavailable', detail: 'too slow' });
  observer.decided({ ...denial, code: 'internal_error', detail: 'a stack' });
  observer.finished({ ...finished, ended: 'cut', by: 'lease_expired' });
  observer.finished({ ...finished, ended: 'upstream-error' });
  observer.malformed({ carrier: 'reverse', status: 431, why: 'HPE_HEADER_OVERFLOW' });
  t.match(said(), [
    { level: 'debug', msg: 'permitted' },
    { level: 'info', msg: 'denied', code: 'grant_missing', detail: 'no grant header' },
    { level: 'debug', msg: 'denied', code: 'grant_missing', detail: 'one of a flood' },
    { level: 'info', msg: 'denied', code: 'log_unavailable', detail: 'too slow' },
    { level: 'error', msg: 'failed to decide', detail: 'a stack' },
    { level: 'info', msg: 'cut', by: 'lease_expired' },
    { level: 'warn', msg: 'upstream failed' },
    { level: 'debug', msg: 'bytes that are not HTTP', status: 431 },
  ]);
  t.end();
});
