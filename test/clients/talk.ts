/** Client programs: what they print, line by line, as it comes. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Heard } from './stage.ts';

/** What a program has to say: an answer, a piece of one, or a fault, under the name of what it did. */
export type Said = { readonly did: string } & Partial<Heard> & {
    readonly piece?: string;
    readonly fault?: string;
  };

const MAX_SECONDS = 60;

/** The path of one of the tests' own programs. */
export function programFile(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

/**
 * Runs a program to its end; `hear` gets each line of JSON as it is printed. Rejects where the program
 * fails, with what it said.
 */
export async function talk(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  hear: (said: Said) => void = () => undefined,
): Promise<ReadonlyMap<string, Said>> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', ...command], {
    ...{ env, stdio: ['ignore', 'pipe', 'pipe'], timeout: MAX_SECONDS * 1000 },
  });
  const heard = new Map<string, Said>();
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Said; // the tests' own programs
    heard.set(said.did, said);
    hear(said);
  }
  const code = await exited;
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${complaints}`);
  return heard;
}

/** The answer under a name. Throws where the program got none. */
export function answer(heard: ReadonlyMap<string, Said>, did: string): Heard {
  const said = heard.get(did);
  const { status, headers, body } = said ?? {};
  if (status === undefined || headers === undefined || body === undefined)
    throw new Error(`no answer, but ${JSON.stringify(said)}`);
  return { status, headers, body };
}
