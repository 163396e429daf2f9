/** Activated bundles are kept by digest, so that decisions can be evaluated again by the policy that took them. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleFiles } from '../policy/bundle.ts';
import { homeLayout } from './home.ts';

/** Puts a bundle into `policy/<digest>`, whole or not at all; does nothing where it is there. Rejects where it cannot. */
export async function keepPolicy(home: string, digest: string, files: BundleFiles): Promise<void> {
  const { policies } = homeLayout(home);
  const folder = join(policies, digest);
  if (existsSync(folder)) return;
  const unfinished = join(policies, `.${digest}.unfinished`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  for (const [name, bytes] of Object.entries(files))
    await writeFile(join(unfinished, name), bytes, { mode: 0o600, flush: true });
  await rename(unfinished, folder);
}
