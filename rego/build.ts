/** Builds the policies that come with Writ into rego/dist: `node rego/build.ts`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { buildBundle, defaultPolicy, regoFolder } from '../src/policy/build.ts';
import { Compiler } from '../src/policy/compiler.ts';
import { faultText } from '../src/policy/fault.ts';

const compiler = new Compiler();
const built = await buildBundle(compiler, await defaultPolicy());
await compiler.close();
if (built.ok) {
  await mkdir(`${regoFolder}dist`, { recursive: true });
  for (const [name, bytes] of Object.entries(built.value.files))
    await writeFile(`${regoFolder}dist/${name}`, bytes);
  console.log(`rego/dist: revision ${built.value.manifest.revision}, digest ${built.value.identity.digest}`);
} else {
  console.error(built.faults.map(faultText).join('\n'));
  process.exitCode = 1;
}
