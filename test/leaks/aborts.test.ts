/** Agents that go away in the middle of every kind of call leave nothing open and nothing in memory. */
import t from 'tap';
import { hasProc } from '../e2e/child-sidecar.ts';
import { calm, grown, kinds, leave, settled } from './rounds.ts';
import { startStage } from './stage.ts';

const COUNT = 50;
const WARM = 25;

t.test(
  'aborted calls of every kind',
  { skip: !hasProc && 'there is no /proc on this machine' },
  async (t) => {
    const on = await startStage(t);
    for (const kind of kinds) await leave(on, kind, WARM); // connections, caches, compiled code
    const before = await calm(on);
    for (const kind of kinds) await leave(on, kind, COUNT);
    const after = await settled(on, before);
    t.strictSame(grown(before, after), {}, 'nothing is left of them');
    t.equal(after.upstream, 0, 'no origin has a connection');
    t.strictSame(before.resources['TCPSocketWrap'], undefined, 'nor had one before');
    const said = on.sidecar.lines.map(({ msg }) => msg).filter((msg) => msg.includes('MaxListeners'));
    t.strictSame(said, []);
    const outcomes = on.sidecar.home.entries().filter(({ type }) => type === 'outcome');
    t.ok(outcomes.length >= 5 * (COUNT + WARM), 'their ends are on record');
    const failed = outcomes.filter(({ is }) => is['ended'] === 'upstream-error');
    t.strictSame(failed, [], 'and none is the upstream’s fault');
  },
);
