/** The embedded compiler against native OPA of the same version: the same sources give the same bytes. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import t from 'tap';
import { ENTRYPOINT } from '../../src/policy/bundle.ts';
import { regoFolder, withBasePolicy } from '../../src/policy/build.ts';
import { Compiler, type PolicyFiles } from '../../src/policy/compiler.ts';
import { readPolicyFolder } from '../../src/policy/source.ts';

const VERSION = 'v1.22.0';

const compiler = new Compiler();
t.teardown(() => compiler.close());

function isOracle(path: string): boolean {
  const { status, stdout } = spawnSync(path, ['version'], { encoding: 'utf8' });
  return status === 0 && stdout.includes(`Version: ${VERSION.slice(1)}\n`);
}

/** `opa` of our version: from PATH, or kept from before, or built by Go (minutes, so only on request: CI asks). */
function findOracle(): string | undefined {
  if (isOracle('opa')) return 'opa';
  const kept = join(tmpdir(), `writ-oracle-${VERSION}`);
  if (isOracle(join(kept, 'opa'))) return join(kept, 'opa');
  if (process.env['WRIT_ORACLE'] !== 'build') return undefined;
  const env = { ...process.env, GOBIN: kept, CGO_ENABLED: '0', GOFLAGS: '' };
  spawnSync('go', ['install', `github.com/open-policy-agent/opa@${VERSION}`], { env, stdio: 'inherit' });
  return isOracle(join(kept, 'opa')) ? join(kept, 'opa') : undefined;
}

t.setTimeout(900_000);

const oracle = findOracle();
const skip = oracle === undefined ? `needs opa ${VERSION} on PATH, or WRIT_ORACLE=build and Go` : false;

function place(folder: string, files: PolicyFiles): void {
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('_test.rego')) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function native(folder: string, capabilities: string): { readonly wasm: Buffer; readonly data: Buffer } {
  const bundle = join(folder, 'bundle.tar.gz');
  const flags = ['-t', 'wasm', '-e', ENTRYPOINT, '--capabilities', capabilities, '-o', bundle, '.'];
  const built = spawnSync(oracle ?? '', ['build', ...flags], {
    cwd: join(folder, 'source'),
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stdout + built.stderr);
  const unpack = spawnSync('tar', ['-xzf', bundle, '-C', folder]);
  if (unpack.status !== 0) throw new Error(String(unpack.stderr));
  return { wasm: readFileSync(join(folder, 'policy.wasm')), data: readFileSync(join(folder, 'data.json')) };
}

for (const name of [
  'default',
  ...readdirSync(`${regoFolder}examples`).map((example) => `examples/${example}`),
]) {
  t.test(`rego/${name} compiles to what native OPA makes of it`, { skip }, async (t) => {
    const folder = t.testdir();
    const source = await withBasePolicy(await readPolicyFolder(`${regoFolder}${name}`));
    const built = await compiler.build(source, [ENTRYPOINT]);
    if (!built.ok) return void t.fail('does not compile');
    place(join(folder, 'source'), { ...source.files, ...source.base, ...built.value.generated });
    const capabilities = join(folder, 'capabilities.json');
    writeFileSync(capabilities, JSON.stringify(await compiler.capabilities()));
    const expected = native(folder, capabilities);
    t.ok(expected.wasm.equals(built.value.wasm), 'policy.wasm');
    t.equal(Buffer.from(built.value.data).toString(), expected.data.toString(), 'data.json');
  });
}
