import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import t from 'tap';
import { systemClock } from '../../src/config/system.ts';
import { Readiness } from '../../src/console/readiness.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { noteKey } from '../../src/lineage/note.ts';
import { cosign } from '../../src/lineage/witness/cosignature.ts';
import { WitnessRounds } from '../../src/lineage/witness/rounds.ts';
import { Witnessing } from '../../src/sidecar/witnessing.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { GrowingLog } from '../lineage/witnessed-log.ts';

t.test(
  'a full disk under the kept checkpoint is told as that, and takes nothing from the quorum',
  async (t) => {
    const signing = new GrowingLog('log.example/1').grow(3);
    const { key, sign } = loadSigner(newKey());
    const cosigner = { key: noteKey(node, { name: 'witness.example/1', type: 'witness', key }), sign };
    const layout = layoutOf(scratchFolder(t));
    const told: [string, object][] = [];
    const say = (message: string, details: object = {}): void => void told.push([message, details]);
    let round: () => void = () => undefined;
    let armed: () => void = () => undefined;
    const clock: typeof systemClock = {
      ...systemClock,
      after: (_after, then) => {
        round = then;
        armed();
        return () => undefined;
      },
    };
    const settings = {
      list: [{ key: cosigner.key.key.id, vkey: '', url: 'http://witness.example' }],
      quorum: 1,
      interval_seconds: 10,
      halt_after_seconds: 0,
    };
    const readiness = new Readiness();
    const rounds = new WitnessRounds({
      logKey: signing.key,
      targets: [{ key: cosigner.key, url: 'http://witness.example' }],
      quorum: 1,
      post: (_url, body) => {
        const [text = ''] = body.slice(body.indexOf('\n\n') + 2).split(/(?<=\n)\n/);
        return Promise.resolve({ status: 200, text: cosign(cosigner, text, 1) });
      },
      newest: () => Promise.resolve(signing.checkpoint()),
      consistency: () => Promise.resolve([]),
      clock: systemClock.wall,
    });
    const log = { debug: say, info: say, warn: say, error: say };
    const witnessing = new Witnessing({ settings, layout, rounds, readiness, leases: { endWhere: () => undefined }, log, clock }); // prettier-ignore
    /** Resolves once a round is over. */
    const over = (begin: () => void): Promise<void> => {
      const next = new Promise<void>((resolve) => (armed = resolve));
      begin();
      return next;
    };
    const unfinished = `${layout.cosigned}.tmp`;
    mkdirSync(layout.directory);
    await over(() => void witnessing.begin());
    const before = readFileSync(layout.cosigned, 'utf8');

    symlinkSync('/dev/full', unfinished); // open, and every byte is one too many
    signing.grow(2);
    await over(round);
    await over(round);
    t.strictSame(told.map(([message]) => message), ['enough witnesses cosign', 'a cosigned checkpoint was not kept'], 'said once'); // prettier-ignore
    t.match(told[1]?.[1], {
      file: layout.cosigned,
      why: 'no space is left on the disk',
      remedy: 'Make room on its disk, or raise its quota.',
    });
    t.equal(witnessing.cosigned?.size, 5, 'the new one is served');
    t.match(witnessing.report(), { quorum: 'held', size: 5 });
    t.match(readiness.report(), { parts: { witnesses: 'good' }, alarms: [] });
    t.equal(readFileSync(layout.cosigned, 'utf8'), before, 'the old one stays whole');

    rmSync(unfinished);
    await over(round);
    t.equal(readFileSync(layout.cosigned, 'utf8'), witnessing.cosigned?.note, 'kept once there is room');
    await witnessing.close();
  },
);
