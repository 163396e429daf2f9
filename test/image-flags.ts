/** How the image starts Node, as deploy/image/writ says it. */
import { readFileSync } from 'node:fs';

const script = readFileSync(new URL('../deploy/image/writ', import.meta.url), 'utf8');

/** Node's flags. */
export const IMAGE_FLAGS: readonly string[] =
  /^exec node (.+?) \S+\.js "\$@"$/m.exec(script)?.[1]?.split(' ') ?? [];
if (IMAGE_FLAGS.length === 0) throw new Error('deploy/image/writ starts no node');

const exported = /^export (.+)$/m
  .exec(script)?.[1]
  ?.split(' ')
  .map((pair) => pair.split('='));

/** What it adds to the environment: how glibc keeps memory. */
export const IMAGE_ENVIRONMENT: Readonly<Record<string, string>> = Object.fromEntries(exported ?? []);
if (!exported) throw new Error('deploy/image/writ exports nothing');
