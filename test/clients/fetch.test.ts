/** Node's fetch, told by its environment alone. */
import t from 'tap';
import { assertCalls } from './calls.ts';
import { startStage } from './stage.ts';
import { programFile } from './talk.ts';

const stage = await startStage(t);

for (const way of Object.values(stage.ways))
  t.test(way.name, { skip: way.skip }, async (t) => {
    const env = { ...way.environment({ trust: 'NODE_EXTRA_CA_CERTS' }), NODE_USE_ENV_PROXY: '1' };
    const command = [process.execPath, programFile('fetch.ts')];
    await assertCalls(t, stage, { way, command, env, refusal: /Proxy response \(403\)/ });
  });
