/** The flags that the image starts Node with, as deploy/image/writ says them. */
import { readFileSync } from 'node:fs';

const script = readFileSync(new URL('../deploy/image/writ', import.meta.url), 'utf8');

export const IMAGE_FLAGS: readonly string[] =
  /^exec node (.+?) \S+\.js "\$@"$/m.exec(script)?.[1]?.split(' ') ?? [];
if (IMAGE_FLAGS.length === 0) throw new Error('deploy/image/writ starts no node');
