import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import t from 'tap';
import { regoFolder } from '../../src/policy/build.ts';

const folder = `${regoFolder}compiler`;
const packed = readFileSync(join(folder, 'opa.wasm.br'));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Why this machine cannot rebuild the compiler, or false. */
function missingGo(): string | false {
  const wanted = /^toolchain (\S+)$/m.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1];
  const found = spawnSync('go', ['env', 'GOVERSION'], { cwd: folder, encoding: 'utf8' });
  if (found.status !== 0) return `needs ${wanted} on PATH`;
  return found.stdout.trim() === wanted ? false : `needs ${wanted}, found ${found.stdout.trim()}`;
}

const skip = missingGo();

t.test('the committed compiler is the one its digests name', async (t) => {
  const lines = readFileSync(join(folder, 'opa.wasm.br.sha256'), 'utf8').trimEnd().split('\n');
  t.strictSame(lines, [
    `${sha256(packed)}  opa.wasm.br`,
    `${sha256(brotliDecompressSync(packed))}  opa.wasm`,
  ]);
});

t.test('its sources give the committed bytes', { skip }, async (t) => {
  const out = join(t.testdir(), 'opa.wasm');
  execFileSync(join(folder, 'build.sh'), [out], { stdio: 'inherit' });
  t.equal(sha256(readFileSync(out)), sha256(brotliDecompressSync(packed)), 'npm run opa:build renews it');
});

t.test('its sources are tested and laid out', { skip }, async (t) => {
  t.equal(execFileSync('gofmt', ['-l', '.'], { cwd: folder, encoding: 'utf8' }), '');
  const tested = spawnSync('go', ['test', './...'], { cwd: folder, encoding: 'utf8' });
  t.equal(tested.status, 0, tested.stdout + tested.stderr);
});
