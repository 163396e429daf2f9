/** A number that a policy is shown is the number that any upstream reads. */
import fc from 'fast-check';
import t from 'tap';
import { isExactNumber } from '../../src/call/exact-number.ts';
import { faultInText } from '../../src/crypto/json-text.ts';

const isExactText = (text: string): boolean => faultInText(text, isExactNumber) === undefined;

t.test('what a double holds as it is written is exact', (t) => {
  for (const exact of [
    ...['0', '-0', '0.0', '0e99', '1', '1.0', '1.50', '1E2', '1e+2', '120e-1', '0.1', '0.30000000000000004', '123456789.012345'],
    ...['9007199254740991', '9.007199254740991e15', '5e-324', '1e-300', '4.35e-2', '1.2345678901234560', '2.2250738585072014e-308', '0.000000000000000000001'],
    ...['"9007199254740993"', '{"9007199254740993.5":1}', '"\\\\\\"9007199254740993"', '[1,2.5,"x",{"a":-3.25e-2}]'],
  ])
    t.ok(isExactText(exact), exact);
  t.end();
}); // prettier-ignore

t.test('what it rounds is not, wherever it stands', (t) => {
  for (const rounded of [
    ...['9007199254740993', '9007199254740993.0', '9007199254740991.4', '4503599627370497.3', '2251799813685249.3'],
    ...['100.000000000000001', '1.00000000000000000000000001', '0.1000000000000000055', '9.007199254740993e15', '-1e-400', '9007199254740992', '1e300', '1.00000000000000011', '4.4e-324'],
    ...['[1,100.000000000000001]', '{"a":{"b":100.000000000000001}}', '["x\\"",100.000000000000001]', '1e999'],
  ])
    t.notOk(isExactText(rounded), rounded);
  t.end();
}); // prettier-ignore

t.test('what JavaScript writes is exact, and one digit more is not', (t) => {
  const any = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(fc.property(any, (number) => Math.abs(number) > 2 ** 53 || isExactText(JSON.stringify(number))));
  const long = fc.double({ noNaN: true, min: 1, max: 9, noDefaultInfinity: true });
  fc.assert(fc.property(long, (number) => !isExactText(`${number.toFixed(17)}1`)));
  t.end();
});
