import t from 'tap';
import { makeLog } from '../../src/config/log.ts';
import { Readiness } from '../../src/console/readiness.ts';
import { watchClock } from '../../src/sidecar/clock-watch.ts';

t.test('a clock that is set back is an alarm until it has caught up', (t) => {
  let behind = 0;
  let look: (() => void) | undefined;
  const lines: string[] = [];
  const readiness = new Readiness();
  const after = (_milliseconds: number, then: () => void): (() => void) => {
    look = then;
    return () => (look = undefined);
  };
  const log = makeLog('info', { write: (line) => void lines.push(line) });
  const end = watchClock({ behind: () => behind, after }, readiness, log);
  const rows: [behind: number, alarms: string[], line: RegExp | undefined][] = [
    [29_000, [], undefined],
    [31_000, ['clock_set_back'], /set back/],
    [3_600_000, ['clock_set_back'], undefined],
    [0, [], /caught up/],
  ];
  for (const [value, alarms, line] of rows) {
    behind = value;
    look?.();
    t.strictSame(readiness.report().alarms, alarms, `${value} ms behind`);
    if (line) t.match(lines.splice(0), [line]);
    else t.strictSame(lines, []);
  }
  end();
  t.equal(look, undefined, 'and the watch ends');
  t.end();
});
