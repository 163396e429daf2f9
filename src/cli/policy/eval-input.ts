/** `writ policy eval`: what is asked, from a document or the sample, `--set` and `--body`. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { contentMembers } from '../../call/content.ts';
import { fileFault } from '../../config/file-fault.ts';
import { pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import { sampleInput } from '../../policy/build.ts';
import type { Compiler, PolicySource } from '../../policy/compiler.ts';
import type { Compiled } from '../../policy/fault.ts';
import { unable, usageFailure } from '../exit.ts';
import { asPost, readBody, withBody } from './eval-body.ts';
import { checkPath } from './eval-path.ts';

/** What the command line says of the input. */
export interface InputOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly body?: string;
  readonly contentType: string;
}

/** The inputs to ask about; a refusal where the sidecar would not ask, faults where the policy does not compile. */
export async function readInputs(
  compiler: Compiler,
  source: PolicySource,
  { input: file, set, body: bodyFile, contentType }: InputOptions,
): Promise<Compiled<Outcome<readonly unknown[]>>> {
  const given = file === undefined ? await sampleInput(compiler) : await readInput(file);
  if (bodyFile === undefined) return { ok: true, value: pass([set.reduce(withMember, given)]) };
  const input = set.reduce(withMember, file === undefined ? asPost(given) : given);
  const body = await readBody(bodyFile, contentType);
  const checked = await compiler.check(source);
  return checked.ok
    ? { ok: true, value: withBody(input, body, checked.value?.content ?? contentMembers) }
    : checked;
}

async function readInput(file: string): Promise<unknown> {
  let text: string;
  try {
    text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    throw unable(`cannot read ${file}: ${fileFault(cause)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw usageFailure(`${file} is not JSON`);
  }
}

/** A copy with one member replaced; the value is JSON where it reads as JSON, else text. */
function withMember(input: unknown, change: string): unknown {
  const at = change.indexOf('=');
  if (at < 1) throw usageFailure(`--set ${change}: write path=value, such as call.method=DELETE`);
  const path = change.slice(0, at).split('.');
  checkPath(path);
  return replaced(input, path, valueOf(change.slice(at + 1)));
}

function replaced(input: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const object: Readonly<Record<string, unknown>> =
    typeof input === 'object' && input !== null ? { ...input } : {};
  return { ...object, [name]: replaced(object[name], rest, value) };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
