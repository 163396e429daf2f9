/** C2SP tlog-policy files: which logs are known, and which witnesses must have cosigned. Strict and portable. */
import { equalBytes } from '../../crypto/bytes.ts';
import type { Suite } from '../../crypto/suite.ts';
import { formatNoteKey, parseNoteKey } from '../note.ts';
import type { NoteKey, SignatureType } from '../note.ts';

/** A witness, or a group of which at least `threshold` members must have seen a checkpoint. */
export type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'witness'; readonly key: NoteKey }
  | { readonly kind: 'group'; readonly threshold: number; readonly members: readonly Quorum[] };

/** A parsed policy. */
export interface TlogPolicy {
  readonly logs: readonly NoteKey[];
  readonly witnesses: readonly NoteKey[];
  readonly quorum: Quorum;
}

const MAX_LINES = 1024;

/** Witnesses, and how many of them must have cosigned. */
export interface Witnesses {
  readonly keys: readonly NoteKey[];
  readonly quorum: number;
}

/** The policy that knows one log, and asks for so many of these witnesses (none by default). */
export function formatPolicy(log: NoteKey, { keys, quorum }: Witnesses = { keys: [], quorum: 0 }): string {
  const lines = [
    `log ${formatNoteKey(log)}`,
    ...keys.map((key) => `witness ${key.name} ${formatNoteKey(key)}`),
  ];
  if (keys.length === 0) return `${lines.join('\n')}\nquorum none\n`;
  const group = `group enough-witnesses ${quorum} ${keys.map(({ name }) => name).join(' ')}`;
  return `${[...lines, group, 'quorum enough-witnesses'].join('\n')}\n`;
}

/** Whether these witnesses are enough. */
export function isQuorum(quorum: Quorum, cosigned: readonly NoteKey[]): boolean {
  switch (quorum.kind) {
    case 'none':
      return true;
    case 'witness':
      return cosigned.includes(quorum.key);
    case 'group':
      return quorum.members.filter((member) => isQuorum(member, cosigned)).length >= quorum.threshold;
  }
}

/** The policy in this text, or the fault in it with its line number. */
export function parsePolicy(suite: Suite, text: string): TlogPolicy | { readonly fault: string } {
  if (/[^\t\n\x20-\x7e\u0080-\uffff]/.test(text)) return { fault: 'a control character' };
  const lines = text.split('\n');
  if (lines.length > MAX_LINES) return { fault: `more than ${MAX_LINES} lines` };
  const parsing = new Parsing(suite);
  for (const [i, line] of lines.entries()) {
    const words = line.split(/[ \t]+/).filter(Boolean);
    const fault = words.length === 0 || words[0]?.startsWith('#') ? undefined : parsing.line(words);
    if (fault) return { fault: `line ${i + 1}: ${fault}` };
  }
  return parsing.finish();
}

class Parsing {
  readonly #suite: Suite;
  readonly #logs: NoteKey[] = [];
  readonly #witnesses: NoteKey[] = [];
  readonly #named = new Map<string, Quorum>();
  /** Names that are members of a group already: each may be in one only. */
  readonly #grouped = new Set<string>();
  #quorum: Quorum | undefined;

  constructor(suite: Suite) {
    this.#suite = suite;
  }

  line([verb, ...words]: readonly string[]): string | undefined {
    switch (verb) {
      case 'log':
        return this.#log(words);
      case 'witness':
        return this.#witness(words);
      case 'group':
        return this.#group(words);
      case 'quorum':
        return this.#setQuorum(words);
      default:
        return `unknown word ${verb}`;
    }
  }

  finish(): TlogPolicy | { readonly fault: string } {
    if (!this.#quorum) return { fault: 'no quorum line' };
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum };
  }

  #log(words: readonly string[]): string | undefined {
    if (words.length < 1 || words.length > 2) return 'log <vkey> [<url>]';
    return this.#add(this.#logs, 'log', words[0] ?? '');
  }

  #witness(words: readonly string[]): string | undefined {
    const [name = '', vkey = ''] = words;
    if (words.length < 2 || words.length > 3) return 'witness <name> <vkey> [<url>]';
    if (this.#isTaken(name)) return `${name} is defined twice`;
    const fault = this.#add(this.#witnesses, 'witness', vkey);
    const key = this.#witnesses.at(-1);
    if (fault || !key) return fault;
    this.#named.set(name, { kind: 'witness', key });
    return undefined;
  }

  #add(keys: NoteKey[], type: SignatureType, vkey: string): string | undefined {
    const key = parseNoteKey(this.#suite, vkey);
    if (key?.type !== type) return `not the verifier key of a ${type}`;
    const known = [...this.#logs, ...this.#witnesses];
    if (known.some((other) => equalBytes(other.key.bytes, key.key.bytes)))
      return 'this key stands here twice';
    keys.push(key);
    return undefined;
  }

  #group([name = '', count = '', ...names]: readonly string[]): string | undefined {
    if (names.length === 0) return 'group <name> all|any|<k> <name>…';
    if (this.#isTaken(name)) return `${name} is defined twice`;
    const threshold = count === 'all' ? names.length : count === 'any' ? 1 : Number(count);
    if (!/^(all|any|[1-9][0-9]{0,3})$/.test(count) || threshold > names.length)
      return `no such threshold: ${count}`;
    const members: Quorum[] = [];
    for (const member of names) {
      const found = this.#named.get(member);
      if (!found || this.#grouped.has(member)) return `${member} is not defined yet, or in a group already`;
      this.#grouped.add(member);
      members.push(found);
    }
    this.#named.set(name, { kind: 'group', threshold, members });
    return undefined;
  }

  #setQuorum(words: readonly string[]): string | undefined {
    const [name = ''] = words;
    if (words.length !== 1) return 'quorum <name>';
    if (this.#quorum) return 'a second quorum line';
    this.#quorum = name === 'none' ? { kind: 'none' } : this.#named.get(name);
    return this.#quorum ? undefined : `${name} is not defined yet`;
  }

  #isTaken(name: string): boolean {
    return name === 'none' || this.#named.has(name);
  }
}
