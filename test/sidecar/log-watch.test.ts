import t from 'tap';
import { Readiness } from '../../src/console/readiness.ts';
import type { LogCondition } from '../../src/lineage/lineage.ts';
import { watchLog } from '../../src/sidecar/log-watch.ts';

/** A log that says what it is told to. */
function setting(): {
  readonly readiness: Readiness;
  readonly told: string[];
  readonly cut: string[];
  readonly become: (condition: LogCondition) => void;
  readonly fail: (cause: Error) => void;
} {
  const readiness = new Readiness();
  for (const part of ['keys', 'policy', 'witnesses', 'listeners'] as const) readiness.good(part);
  const [told, cut]: [string[], string[]] = [[], []];
  const listeners: { change?: (condition: LogCondition) => void; failure?: (cause: Error) => void } = {};
  const say =
    (level: string) =>
    (message: string): void =>
      void told.push(`${level}: ${message}`);
  watchLog({
    lineage: {
      condition: { state: 'writing', room: 'ample' },
      onChange: (listener) => (listeners.change = listener),
      onFailure: (listener) => (listeners.failure = listener),
    },
    readiness,
    leases: { endWhere: (_which, code) => void cut.push(code) },
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
  });
  const become = (condition: LogCondition): void => listeners.change?.(condition);
  return { readiness, told, cut, become, fail: (cause) => listeners.failure?.(cause) };
}

t.test('readiness is as good as the log, and rises by itself', (t) => {
  const { readiness, become, told, cut } = setting();
  t.ok(readiness.ready, 'from the beginning');
  const rows: [LogCondition, code: string | undefined, alarms: string[], line: RegExp][] = [
    [{ state: 'writing', room: 'scarce' }, undefined, ['log_space_low'], /warn: .* fills/],
    [{ state: 'stalled', room: 'scarce' }, 'log_unavailable', ['log_space_low'], /error: .* in time/],
    [{ state: 'writing', room: 'ample' }, undefined, [], /info: .* room again/],
    [{ state: 'writing', room: 'denials' }, 'log_space_low', ['log_space_low'], /error: .* every call is denied/],
    [{ state: 'writing', room: 'none' }, 'log_space_low', ['log_space_low'], /error: .* only counted/],
    [{ state: 'stalled', room: 'ample' }, 'log_unavailable', [], /info: .* room again/],
    [{ state: 'writing', room: 'ample' }, undefined, [], /info: .* answers again/],
  ]; // prettier-ignore
  for (const [condition, code, alarms, line] of rows) {
    become(condition);
    const answer = readiness.trust();
    t.equal(answer.ok ? undefined : answer.code, code, JSON.stringify(condition));
    t.match(readiness.report(), { ready: code === undefined, alarms });
    t.match(told.at(-1), line);
  }
  t.strictSame(cut, [], 'what runs may go on');
  t.end();
});

t.test('a log that failed ends what runs, for good', (t) => {
  const { readiness, become, fail, cut, told } = setting();
  fail(new Error('EIO'));
  become({ state: 'failed', room: 'ample' });
  t.match(readiness.trust(), { ok: false, code: 'log_unavailable' });
  t.strictSame(readiness.reasons(), { log: 'EIO' });
  t.strictSame(cut, ['log_unavailable']);
  t.match(told.join(), /cannot record any more/);
  t.end();
});
