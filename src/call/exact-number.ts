/**
 * Numbers of JSON that a double holds as they are written. A policy is shown doubles in their shortest form; an upstream
 * that reads decimals would see another number wherever the two differ (RFC 8259 §6, RFC 7493 §2.2).
 */
import { longNumbersIn } from '../crypto/json.ts';

const NUMBER = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * Whether every number of this (valid) JSON text is the very one that `JSON.parse` gives. A sign changes nothing, and of so
 * few digits as are not looked at a double keeps any (IEEE 754 binary64, `DBL_DIG`).
 */
export function isExactText(text: string): boolean {
  for (const number of longNumbersIn(text)) {
    const shown = String(Number(number));
    if (number !== shown && decimal(number) !== decimal(shown)) return false;
  }
  return true;
}

/** Its digits without zeros at either end, and the power of ten of the last of them: one text for one value. */
function decimal(number: string): string | undefined {
  const [, whole, fraction = '', exponent = '0'] = NUMBER.exec(number) ?? [];
  if (whole === undefined) return undefined; // Infinity
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const short = withoutZeros(digits);
  return short === '' ? '0' : `${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}

function withoutZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end--; // a pattern would try from every zero anew
  return digits.slice(0, end);
}
