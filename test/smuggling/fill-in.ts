/** What only the run of a case can know: where it is played, and with which grant. */
import type { Carrier } from './carriers.ts';
import { expectedOf, SMUGGLED } from './row.ts';
import type { Answer, CarrierName, Case, LetOut } from './row.ts';

/** A case's text with everything that only its run can know. */
export function fillIn(text: string, carrier: Carrier, grant: string): string {
  const { base, scheme, host, origin } = carrier;
  const smuggled = text === SMUGGLED ? '' : fillIn(SMUGGLED, carrier, grant);
  return text
    .replaceAll('{base}', base)
    .replaceAll('{scheme}', scheme)
    .replaceAll('{otherScheme}', scheme === 'https' ? 'http' : 'https')
    .replaceAll('{HOST}', host.toUpperCase())
    .replaceAll('{host}', host)
    .replaceAll('{port}', String(origin.port))
    .replaceAll('{grant}', grant)
    .replace(/\{(length|length16)\}/g, (_, name) => smuggled.length.toString(name === 'length' ? 10 : 16));
}

/** What a case's answers must be there. */
export function answersOf(
  row: Case,
  carrier: CarrierName,
  fill: (text: string) => string,
): readonly Answer[] {
  const given = (answer: LetOut): LetOut => ({
    ...answer,
    permit: fill(answer.permit),
    ...(answer.trailers && { trailers: answer.trailers.map(fill) }),
  });
  const expected = [expectedOf(row, carrier) ?? []].flat();
  return expected.map((answer) => (typeof answer === 'object' ? given(answer) : answer));
}
