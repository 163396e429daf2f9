/** What could not be kept for replay is counted: nothing else would tell before somebody misses it. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { layoutOf } from '../../src/lineage/layout.ts';
import { makeInputKeeper } from '../../src/sidecar/inputs.ts';
import { makeHome } from '../e2e/home.ts';

t.test('inputs that cannot be kept are counted and told', async (t) => {
  const home = await makeHome(t, { settings: { lineage: { inputs: 'keep' } } });
  writeFileSync(layoutOf(home.path).inputs, 'no folder');
  const told: string[] = [];
  const tell = (message: string): void => void told.push(message);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  let lost = 0;
  const keeper = makeInputKeeper(home.settings(), log, { inputsLost: (inputs) => void (lost += inputs) });
  const input = { digest: '0'.repeat(64), salt: new Uint8Array(16), inputs: ['{}'], result: undefined };
  keeper?.keep(5, input);
  keeper?.keep(6, input);
  await keeper?.close();
  t.equal(lost, 2);
  t.strictSame(told, ['inputs for replay were not kept']);
});
