/** Who may sign root grants: the gate's own anchors (`authorities.json`, formats.md §0). */
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { loadJwk } from '../crypto/key.ts';
import type { PublicKey } from '../crypto/suite.ts';

/** One pinned pair: this key may sign for this issuer. */
export interface Authority {
  readonly iss: string;
  readonly key: PublicKey;
}

/** A pair's name, where only its sameness counts: the same key under another `iss` is another pair. */
export function pairName(iss: string, { id }: PublicKey): string {
  return `${id} ${iss}`;
}

/** A parsed list, or why it is none. */
export type AuthorityList =
  | { readonly ok: true; readonly authorities: readonly Authority[] }
  | { readonly ok: false; readonly fault: string };

/** The pairs of `{"authorities":[{"iss":…,"jwk":…}]}`, strictly: a pair given twice is a fault too. Nobody may be in it. */
export function parseAuthorities(text: string): AuthorityList {
  const file = parseStrictJson(text);
  if (!isJsonObject(file) || !hasOnly(file, ['authorities']) || !Array.isArray(file.authorities))
    return { ok: false, fault: 'not {"authorities":[…]}' };
  const list: readonly Json[] = file.authorities;
  const authorities: Authority[] = [];
  for (const [index, item] of list.entries()) {
    const authority = readAuthority(item);
    if (!authority)
      return { ok: false, fault: `authorities[${index}] is not {"iss":…,"jwk":Ed25519 public key}` };
    if (authorities.some(({ iss, key }) => iss === authority.iss && key.id === authority.key.id))
      return { ok: false, fault: `authorities[${index}] is there twice` };
    authorities.push(authority);
  }
  return { ok: true, authorities };
}

/** The list in force. It starts unreadable; a text that does not parse makes it unreadable again (fail closed). */
export class Authorities {
  #read: AuthorityList = { ok: false, fault: 'not loaded' };
  #inForce: readonly Authority[] = [];
  #generation = 0;

  /** Takes the text of `authorities.json`, or undefined where it could not be read. Says what is wrong, if anything. */
  load(text: string | undefined): string | undefined {
    const fault = this.withdraw(text);
    this.admit(this.announced);
    return fault;
  }

  /** The first half of `load`: whom the text does not name is not trusted any more, and nobody is trusted anew. */
  withdraw(text: string | undefined): string | undefined {
    this.#read = text === undefined ? { ok: false, fault: 'cannot be read' } : parseAuthorities(text);
    this.#enforce(this.#inForce);
    return this.fault;
  }

  /** Whom the text that was read last names; none while unreadable. */
  get announced(): readonly Authority[] {
    return this.#read.ok ? this.#read.authorities : [];
  }

  /** The second half: of those announced, these are trusted, now that they are on record. */
  admit(recorded: readonly Authority[]): void {
    this.#enforce(recorded);
  }

  /** Grows with every change: whoever remembers verdicts drops them then. */
  get generation(): number {
    return this.#generation;
  }

  /** Why no grant can be verified; undefined while the list is good. */
  get fault(): string | undefined {
    return this.#read.ok ? undefined : this.#read.fault;
  }

  /** All pairs in force, none while unreadable. */
  get pairs(): readonly Authority[] {
    return this.#inForce;
  }

  #enforce(candidates: readonly Authority[]): void {
    const names = new Set(candidates.map(({ iss, key }) => pairName(iss, key)));
    this.#inForce = this.announced.filter(({ iss, key }) => names.has(pairName(iss, key)));
    this.#generation++;
  }

  /** The pinned key for an issuer: the one that `kid` names, or without `kid` the only one there is. */
  find(iss: string, kid: string | undefined): PublicKey | undefined {
    const candidates = this.pairs.filter((pair) => pair.iss === iss && (kid ?? pair.key.id) === pair.key.id);
    return candidates.length === 1 ? candidates[0]?.key : undefined;
  }
}

function readAuthority(item: Json): Authority | undefined {
  if (!isJsonObject(item) || !hasOnly(item, ['iss', 'jwk'])) return undefined;
  const key = loadJwk(item.jwk);
  return key && typeof item.iss === 'string' && item.iss !== '' ? { iss: item.iss, key } : undefined;
}

function hasOnly(value: object, names: readonly string[]): boolean {
  return Object.keys(value).every((name) => names.includes(name));
}
