/**
 * Numbers of JSON that a double holds as they are written. A policy is shown doubles in their shortest form; an upstream
 * that reads decimals would see another number wherever the two differ (RFC 8259 §6, RFC 7493 §2.2).
 */
const NUMBER = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Of so few digits a double keeps any (IEEE 754 binary64, `DBL_DIG`), where it is not near the ends of its range. */
const KEPT_DIGITS = 15;
const [SMALLEST, LARGEST] = [1e-290, 1e290];

/**
 * Whether this number, as JSON writes it but for its sign, is the very one that `JSON.parse` gives, and a whole one is none
 * that its neighbours are rounded to.
 */
export function isExactNumber(number: string): boolean {
  const value = Number(number);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false;
  const digits = significantDigits(number);
  if (digits <= KEPT_DIGITS && (digits === 0 || (value > SMALLEST && value < LARGEST))) return true;
  const shown = String(value);
  return number === shown || decimal(number) === decimal(shown);
}

/** How many digits stand between zeros, exponent aside. */
function significantDigits(number: string): number {
  let [first, last, points] = [0, 0, 0]; // positions behind digits
  for (let at = 0; at < number.length; at++) {
    const digit = number.charCodeAt(at) - 0x30;
    if (digit >= 1 && digit <= 9) {
      if (first === 0) first = at + 1;
      last = at + 1;
    } else if (digit !== 0 && number[at] !== '.') break;
    else if (digit !== 0) points = at + 1;
  }
  if (first === 0) return 0;
  return last - first + (points > first && points < last ? 0 : 1);
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
