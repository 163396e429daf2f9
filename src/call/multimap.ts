/** Names with all their values, in the order received. */
export type Multimap = Record<string, string[]>;

/** Names are attacker-controlled: no prototype, so that `__proto__` is a name like any other. */
export function multimap(pairs: Iterable<readonly [name: string, value: string]>): Multimap {
  const map = Object.create(null) as Multimap; // Object.create is untyped
  for (const [name, value] of pairs) (map[name] ??= []).push(value);
  return map;
}
