/** What a strict reader thinks of HTTP/2 fields (RFC 9113 §8.2–8.3), on either side. */

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const CONNECTION_SPECIFIC = new Set(
  'connection keep-alive proxy-connection transfer-encoding upgrade http2-settings'.split(' '),
);

/** A field section, pseudo-headers apart. */
export interface Fields {
  readonly pseudo: ReadonlyMap<string, string>;
  /** Name and value, in order. */
  readonly list: readonly (readonly [string, string])[];
}

/** The section of `name, value, …` with exactly these pseudo-headers; undefined where it breaks a rule. */
export function readFields(
  flat: readonly string[] | undefined,
  wanted: readonly string[],
): Fields | undefined {
  if (!flat) return undefined;
  const pairs = Array.from(
    { length: flat.length / 2 },
    (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? ''] as const,
  );
  const pseudo = pairs.slice(0, wanted.length);
  const list = pairs.slice(wanted.length);
  const names = pseudo.map(([name]) => name);
  const fit = list.every(
    ([name, value]) => NAME.test(name) && VALUE.test(value) && !CONNECTION_SPECIFIC.has(name),
  );
  return fit && names.toSorted().join() === wanted.toSorted().join()
    ? { pseudo: new Map(pseudo), list }
    : undefined;
}

/** The values under a name. */
export function valuesOf({ list }: Pick<Fields, 'list'>, wanted: string): readonly string[] {
  return list.filter(([name]) => name === wanted).map(([, value]) => value);
}

/** Whether so many octets are what the section says, where it says anything. */
export function hasLength(fields: Fields, octets: number): boolean {
  const lengths = valuesOf(fields, 'content-length');
  return lengths.length === 0 || (lengths.length === 1 && lengths[0] === String(octets));
}
