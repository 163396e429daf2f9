/** Whether `--set` of `writ policy eval` names what a rule can see: any other path would change no decision. */
import { readFileSync } from 'node:fs';
import { near } from '../../config/layer.ts';
import { isJsonObject } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import { regoFolder } from '../../policy/build.ts';
import { usageFailure } from '../exit.ts';

/** A usage failure for a path that the schema of the input does not have. */
export function checkPath(path: readonly string[]): void {
  let at = JSON.parse(readFileSync(`${regoFolder}writ/input.schema.json`, 'utf8')) as Json; // as: our own file
  for (const [depth, name] of path.entries()) {
    const { properties, additionalProperties } = isJsonObject(at) ? at : {};
    if (!isJsonObject(properties)) return;
    const next = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (next === undefined && additionalProperties === false)
      throw unknown(path, depth, Object.keys(properties));
    if (next === undefined) return;
    at = next;
  }
}

function unknown(path: readonly string[], depth: number, names: readonly string[]): Error {
  const close = near(path[depth] ?? '', names);
  const whole = [...path.slice(0, depth), close ?? names.join('|')].join('.');
  return usageFailure(
    `--set ${path.join('.')}: the input has no ${path.slice(0, depth + 1).join('.')}`,
    `${close === undefined ? 'There is' : 'Did you mean'} ${whole}${close === undefined ? '.' : '?'} docs/policy.md lists the input.`,
  );
}
