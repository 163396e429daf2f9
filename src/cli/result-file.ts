/** Where a command's one result goes: standard output, or the file that `-o` names. */
import { readFileSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { fileFault } from '../config/file-fault.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { unable } from './exit.ts';

/** Writes a result as it is. */
export function writeResult(text: string, file: unknown): void {
  if (typeof file !== 'string') return void process.stdout.write(text);
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw unable(`${file} cannot be written: ${fileFault(cause)}`);
  }
}

/** The text of a file, or of standard input for `-`. A command failure where it cannot be read or is not UTF-8. */
export async function readGiven(file: string): Promise<string> {
  const text = decodeUtf8(file === '-' ? await buffer(process.stdin) : readBytes(file));
  if (text === undefined) throw unable(`${file === '-' ? 'standard input' : file} is not UTF-8 text`);
  return text;
}

/** The bytes of a file. A command failure where it cannot be read. */
export function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw unable(`${file} cannot be read: ${fileFault(cause)}`);
  }
}
