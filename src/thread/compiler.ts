/** Worker: the embedded OPA. It lives only while policies are compiled; its memory goes with it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { brotliDecompressSync } from 'node:zlib';
import { runCommand } from '../policy/wasi.ts';

const packed = new URL('../../rego/compiler/opa.wasm.br', import.meta.url);

function load(): WebAssembly.Module {
  const bytes = readFileSync(packed);
  const [expected] = readFileSync(new URL(`${packed.href}.sha256`), 'utf8').split(' ');
  if (createHash('sha256').update(bytes).digest('hex') !== expected) {
    throw new Error(`${packed.pathname} is damaged: its SHA-256 is not the one beside it`);
  }
  return new WebAssembly.Module(brotliDecompressSync(bytes));
}

if (!parentPort) throw new Error('thread/compiler is a worker');
const port = parentPort;
const module = load();
port.on('message', ({ id, input }: { readonly id: number; readonly input: Uint8Array }) => {
  try {
    port.postMessage({ id, output: runCommand(module, input) });
  } catch (error) {
    port.postMessage({ id, failure: error instanceof Error ? error.message : String(error) });
  }
});
