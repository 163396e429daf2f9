/** A fresh home with the policy that comes with Writ. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import { createLog } from '../lineage/create.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import { regoFolder } from '../policy/build.ts';
import { readBundle } from '../policy/bundle.ts';
import { homeState, makeHome } from './home.ts';
import type { FirstPolicy } from './home.ts';
import { ensureTlsAuthority } from './tls-authority.ts';

/**
 * Makes the home of these settings, or finishes a half-made one; a complete one stays. Answers the log's origin.
 * `follows`: as in `NewLog`.
 */
export async function makeDefaultHome({ home, lineage }: Settings, follows?: string): Promise<string> {
  const state = homeState(home);
  if (state === 'missing' || state === 'half-made') {
    const policy = await defaultBundle();
    makeHome({
      home,
      policy,
      createLog: () => {
        const log = createLog({ home, name: lineage.name, now: systemClock.wall(), follows });
        if (follows !== undefined && !log.created)
          throw new Error(`${home} has a log already: what it follows stands in its first entry`);
      },
    });
  }
  ensureTlsAuthority(home, systemClock.wall());
  return readIdentity(layoutOf(home)).origin;
}

/** The compiled default policy, as it is committed in `rego/dist`. */
async function defaultBundle(): Promise<FirstPolicy> {
  const read = (name: string): Promise<Uint8Array> => readFile(join(regoFolder, 'dist', name));
  const files = {
    'policy.wasm': await read('policy.wasm'),
    'data.json': await read('data.json'),
    '.manifest': await read('.manifest'),
  };
  const loaded = await readBundle(files);
  if (!loaded.ok) throw new Error(`the policy that comes with Writ cannot be used: ${loaded.fault}`);
  return { digest: loaded.bundle.identity.digest, files };
}
