/** Runs the embedded compiler as a function from bytes to bytes: in a worker here, in a page for the playground. */
import { ConsoleStdout, File, OpenFile, WASI } from '@bjorn3/browser_wasi_shim';
import { concatBytes, decodeUtf8 } from '../crypto/bytes.ts';

/**
 * One run of a WASI command: `input` is its standard input, the result its standard output. It gets no files, no
 * environment and no arguments. Throws where the program does not exit 0, with what it said on standard error.
 */
export function runCommand(module: WebAssembly.Module, input: Uint8Array): Uint8Array {
  const output: Uint8Array[] = [];
  const complaint: Uint8Array[] = [];
  const descriptors = [
    new OpenFile(new File(input, { readonly: true })),
    new ConsoleStdout((chunk) => void output.push(chunk)),
    new ConsoleStdout((chunk) => void complaint.push(chunk)),
  ];
  const wasi = new WASI([], [], descriptors, { debug: false });
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport });
  const status = wasi.start(commandOf(instance));
  if (status !== 0)
    throw new Error(`compiler exited ${status}: ${decodeUtf8(concatBytes(...complaint)) ?? ''}`);
  return concatBytes(...output);
}

function commandOf(instance: WebAssembly.Instance): {
  exports: { memory: WebAssembly.Memory; _start: () => unknown };
} {
  const { memory, _start: start } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof start !== 'function')
    throw new Error('not a WASI command');
  return { exports: { memory, _start: () => Reflect.apply(start, undefined, []) as unknown } };
}
