/** What people hand in for the body of a denial: the usual mistakes, which a verdict alone would not explain. */
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';

/** What is plainly wrong with this text, and what to do instead; undefined where nothing is plain. */
export function textTrouble(text: string): string | undefined {
  if (text.trim() === '')
    return 'it is empty. Clients drop the body of a refused CONNECT: docs/clients.md says how to fetch the receipt.';
  if (/^HTTP\/[0-9]/.test(text))
    return 'it begins with the head of the response. Keep the body alone: curl without -i.';
  const value = parseStrictJson(text);
  if (value === undefined) return 'it is not JSON, or not all of it. Keep the body of the 403 as it came.';
  if (!isJsonObject(value) || !Object.hasOwn(value, 'receipt'))
    return 'it holds no receipt. The body of a 403 of a sidecar has one: its answer carries Writ-Decision: deny.';
  if (JSON.stringify(value) !== text)
    return 'it was reformatted (by jq or an editor?). Keep the body of the 403 as it came.';
  return undefined;
}
