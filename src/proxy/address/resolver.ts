/** From a host to vetted addresses: resolved once a call, every answer judged, one bad answer denies all. */
import ipaddr from 'ipaddr.js';
import type { Call } from '../../call/call.ts';
import { deny, pass } from '../../denial/outcome.ts';
import type { Outcome } from '../../denial/outcome.ts';
import type { Address, Resolver } from '../../gate/outside.ts';
import { inside, innerAddress, parseAddress, spellAddress, whyForbidden } from './address.ts';
import type { Parsed } from './address.ts';
import { namedByAddress, namedByRoute } from './exception.ts';
import type { Exception } from './exception.ts';
import type { Lookup } from './lookup.ts';

/** What the resolver rests on. A reload makes another resolver: a call keeps the exceptions it began with. */
export interface ResolverParts {
  readonly lookup: Lookup;
  /** Of `upstream.allow` and the reverse routes. */
  readonly exceptions: readonly Exception[];
  /** The ports of the sidecar's own listeners. */
  ownPorts(): ReadonlySet<number>;
  /** The addresses of this machine's interfaces, as text. */
  interfaces(): readonly string[];
}

/** More answers than this are cut off: they would only be dialled one after the other. */
const MAX_ADDRESSES = 8;

/** This machine, whatever its interfaces are called. */
const LOCAL_RANGES = ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'].map((cidr) => ipaddr.parseCIDR(cidr));

/** What of a call its addresses depend on. */
type Wanted = Pick<Call, 'carrier' | 'host' | 'port'>;

/** Vets addresses by the table of address.ts, the operator's exceptions, and the one rule that has none. */
export class VettingResolver implements Resolver {
  readonly #parts: ResolverParts;

  constructor(parts: ResolverParts) {
    this.#parts = parts;
  }

  async vet(call: Wanted, agent: string): Promise<Outcome<readonly Address[]>> {
    const literal = parseAddress(call.host);
    const answers = literal ? pass([call.host]) : await this.#parts.lookup(call.host, agent);
    if (!answers.ok) return answers;
    const vetted: Address[] = [];
    for (const text of answers.value) {
      const address = this.#judge(text, call);
      if (!address.ok) return address;
      vetted.push(address.value);
    }
    if (vetted.length === 0) return deny('name_unresolved', `${call.host} has no address`);
    return pass(vetted.slice(0, MAX_ADDRESSES));
  }

  #judge(text: string, call: Wanted): Outcome<Address> {
    const parsed = parseAddress(text);
    if (!parsed) return deny('address_forbidden', `${call.host} answered ${JSON.stringify(text)}`);
    const address = { address: spellAddress(parsed), family: familyOf(parsed), port: call.port };
    if (this.#isOwn(parsed, call.port)) return deny('address_own', `${address.address} port ${call.port}`);
    if (namedByAddress(this.#parts.exceptions, parsed, call.port)) return pass(address);
    const why = whyForbidden(parsed);
    if (!why) return pass(address);
    if (why.unless === 'route' && namedByRoute(this.#parts.exceptions, call)) return pass(address);
    return deny('address_forbidden', `${address.address} is ${why.is}`);
  }

  /** One of our own listeners: never reachable through us, whatever the settings say. */
  #isOwn(parsed: Parsed, port: number): boolean {
    if (!this.#parts.ownPorts().has(port)) return false;
    const address = innerAddress(parsed);
    if (LOCAL_RANGES.some((range) => inside(address, range) || inside(parsed, range))) return true;
    const spelled = spellAddress(address);
    return this.#parts.interfaces().some((own) => {
      const known = parseAddress(own.replace(/%.*$/, ''));
      return known !== undefined && spellAddress(known) === spelled;
    });
  }
}

function familyOf(address: Parsed): 4 | 6 {
  return address.kind() === 'ipv4' ? 4 : 6;
}
