/**
 * The way of a call: verify → authorize → govern → record → execute → prove. The order stands in `#decide`, one step a
 * line; each step is a room of its own. What cannot be verified, decided, governed or recorded is refused, with proof.
 */
import type { Call, Carrier, Credential, RawHead } from '../call/call.ts';
import { readCall } from '../call/read.ts';
import type { Redirect } from '../call/redirect.ts';
import type { Tunnel } from '../call/tunnel.ts';
import { causeText } from '../config/cause-text.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import { pairName } from '../grant/authorities.ts';
import { agentOf } from '../grant/grant.ts';
import type { Grant } from '../grant/grant.ts';
import { coverCall } from '../grant/scope.ts';
import type { Uses } from '../grant/uses.ts';
import type { GrantVerifier } from '../grant/verify.ts';
import { LineageUnavailable } from '../lineage/lineage.ts';
import type { EntryRequest, Lineage } from '../lineage/lineage.ts';
import type { Redirected } from '../lineage/statement.ts';
import type { PolicyEngine } from '../policy/decision.ts';
import { authorize } from './authorize.ts';
import { readBoundBody } from './bound-body.ts';
import type { BoundBody } from './bound-body.ts';
import { isTooLong } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Shelf } from './held-body.ts';
import { keepInput } from './keep-input.ts';
import { KeptDenials } from './kept-denials.ts';
import { limitLease } from './lease.ts';
import type { HeldLease, Leases } from './lease.ts';
import type { Observer } from './observer.ts';
import type {
  Address,
  Clock,
  Ended,
  Exchange,
  Fresh,
  Inputs,
  Passage,
  TunnelMouth,
  Upstream,
} from './outside.ts';
import { neverSent, outcomeEntry, permitEntry } from './record.ts';
import type { Refused, Refuser } from './refuser.ts';
import type { Rules } from './rules.ts';
import { isIntercepted, tunnelEntry } from './tunnel.ts';

/** The gate's parts; `proxy/` and `main` bring those of the outside. */
export interface GateParts<E extends Exchange> {
  readonly clock: Clock;
  /** New identities, for calls and for entries without one. */
  readonly fresh: () => Fresh;
  readonly verifier: GrantVerifier;
  readonly uses: Uses;
  readonly policy: PolicyEngine;
  /** Passes while this sidecar is what it should be. */
  readonly trust: () => Outcome<'trusted'>;
  readonly leases: Leases;
  readonly lineage: Lineage;
  /** Absent: inputs are not kept. */
  readonly inputs?: Inputs;
  /** For bodies that are held. */
  readonly shelf: Shelf;
  readonly refuser: Refuser;
  readonly upstream: Upstream<E>;
  readonly observer: Observer;
  readonly rules: () => Rules;
  /** Whether an agent runs under a uid that can read the sidecar's keys. */
  readonly exposed: () => boolean;
}

/** One head that arrived, and the agent's end of it. */
export interface Arrival<E extends Exchange> {
  readonly head: RawHead;
  readonly carrier: Carrier;
  /** What its connection stands for, inside CONNECT. */
  readonly tunnel?: Tunnel;
  /** And on the transparent port. */
  readonly redirect?: Redirect;
  /** Where a CONNECT can go on; absent for everything else. */
  readonly mouth?: TunnelMouth;
  readonly exchange: E;
}

/** A connection that is refused before its first request. */
export interface TurnedAway {
  readonly carrier: Carrier;
  readonly redirected: Redirected;
}

/** A call that may go out: on durable record. */
interface Permit extends BoundBody {
  readonly call: Call;
  readonly addresses: readonly Address[];
  readonly lease: HeldLease;
  readonly seq: number;
}

/** Decides calls and sees them through. */
export class Gate<E extends Exchange> {
  readonly #parts: GateParts<E>;
  readonly #kept = new KeptDenials();

  constructor(parts: GateParts<E>) {
    this.#parts = parts;
  }

  /**
   * The body of a recent denial, by id: for the operator, or for who brings the grant that was refused. An unknown id and
   * another grant look the same: undefined.
   */
  denial(id: string, asker: 'operator' | Credential): string | undefined {
    if (asker === 'operator') return this.#kept.find(id, asker);
    const { clock, verifier, policy } = this.#parts;
    const grant = verifier.verify(asker, clock.wall(), policy.active?.digest);
    const known = grant.ok ? grant.value : grant.known; // it may have expired meanwhile
    return known && this.#kept.find(id, known);
  }

  /** Puts on record that a connection was refused, which the caller closes. Rejects as `run` does. */
  async turnAway({ carrier, redirected }: TurnedAway, refusal: Refusal): Promise<void> {
    const { name = '' } = redirected;
    const head = { method: '', target: name, version: '', headers: [] };
    const given = { arrival: { head, carrier, exchange: NOBODY }, began: this.#parts.clock.monotonic() };
    const found = { ...this.#begin(head), redirected };
    try {
      await this.#refuse(found, refusal, given);
    } catch (cause) {
      await this.#fail(found, cause, given);
    }
  }

  /**
   * Takes one call from its head to its last byte and its last entry. Rejects only where there is no identity, time or
   * rules to refuse it by; whoever asked closes its connection then.
   */
  async run(arrival: Arrival<E>): Promise<void> {
    const began = this.#parts.clock.monotonic();
    const { redirect } = arrival;
    const found: Findings = {
      ...this.#begin(arrival.head),
      ...(redirect && { redirected: { original: redirect.original } }),
    };
    const { rules } = found;
    try {
      const verified = this.#verify(found, arrival);
      if (!verified.ok) return await this.#refuse(found, verified, { arrival, began });
      if (isIntercepted(verified.value.call, rules))
        return await this.#enter(found, verified.value, { arrival, began });
      const permit = await this.#decide(found, verified.value, arrival.exchange);
      if (!permit.ok) return await this.#refuse(found, permit, { arrival, began });
      this.#report(found, arrival, { began, seq: permit.value.seq });
      await this.#execute(found, permit.value, arrival);
    } catch (cause) {
      await this.#fail(found, cause, { arrival, began });
    }
  }

  #begin(head: RawHead): Findings {
    const { fresh, rules, exposed } = this.#parts;
    return { ...fresh(), head, rules: rules(), exposed: exposed() };
  }

  /** The first step: a strict call, and a grant that is good here and now. */
  #verify(found: Findings, { head, carrier, tunnel, redirect, mouth }: Arrival<E>): Outcome<Verified> {
    const { clock, verifier, policy } = this.#parts;

    const stands = { ...(tunnel && { tunnel }), ...(redirect && { redirect }) };
    const call = readCall(head, { ...found, ...found.rules, carrier, ...stands });
    if (!call.ok) return call;
    found.call = call.value;

    const grant = verifier.verify(call.value.credential, clock.wall(), policy.active?.digest);
    found.grant = grant.ok ? grant.value : grant.known;
    if (!grant.ok) return grant;

    if (isTooLong(found)) return deny('entry_too_large', 'path and intent');
    if (call.value.action === 'CONNECT' && !mouth) return deny('tunnel_unsupported', `on carrier ${carrier}`);
    return pass({ call: call.value, grant: grant.value });
  }

  /** An intercepted CONNECT, once it is on record: what comes out of it arrives as calls of its own. */
  async #enter(found: Findings, verified: Verified, given: Given<Arrival<E>>): Promise<void> {
    const { lineage, observer, trust, fresh } = this.#parts;
    const { mouth } = given.arrival;
    const trusted = trust();
    if (!trusted.ok) return this.#refuse(found, trusted, given);
    const entry = tunnelEntry(found, verified);
    if (!entry.ok) return this.#refuse(found, entry, given);
    const { seq } = await lineage.append(entry.value); // durable from here on
    const { host, port, credential } = verified.call;
    observer.tunnelled({ id: found.id, host, port, seq });
    const opened = await mouth?.open({ host, port, credential });
    if (opened && !opened.ok) await this.#refuse({ ...found, id: fresh().id }, opened, given); // the entry has the first id
  }

  /** Every further step up to the durable permit. The first that does not pass is the answer. */
  async #decide(found: Findings, { call, grant }: Verified, exchange: E): Promise<Outcome<Permit>> {
    const { clock, uses, policy, trust, leases, lineage, inputs, shelf } = this.#parts;
    const { rules } = found;

    const { root, key } = grant;
    const lease = leases.open(pairName(root.iss, key), root.exp * 1000); // hears of expiry from here on
    found.lease = lease;

    const covered = coverCall(grant, call);
    if (!covered.ok) return covered;
    found.coverage = covered.value;
    const forPolicy = policy.content.length > 0;
    const reading = { call, coverage: covered.value, exchange, lease, shelf, clock, forPolicy };
    const bound = await readBoundBody(found, reading);
    if (!bound.ok) return bound;
    const { coverage } = bound.value;
    found.coverage = coverage;

    const decision = await authorize(found, { call, coverage, policy, trust, clock });
    if (!decision.ok) return decision;

    const trusted = trust();
    if (!trusted.ok) return trusted;

    const { entry } = coverage;
    const obligations = decision.value;
    const limited = limitLease(lease, { call, body: found.body, entry, obligations });
    if (!limited.ok) return limited;

    const left = uses.look(coverage);
    if (!left.ok) return left;

    const addresses = await rules.resolver.vet(call, agentOf(grant)); // the first byte that may leave
    if (!addresses.ok) return addresses;
    if (lease.ended) return deny(lease.ended, 'ended while it was decided');

    const use = uses.charge(coverage); // same turn as the append
    if (!use.ok) return use;

    const late = (seq: number): void => this.#closeLate(seq);
    const recorded = await lineage.append({ ...permitEntry(found, addresses.value), late }); // durable from here on
    found.permit = recorded.seq;
    keepInput(found, recorded.seq, inputs);
    return pass({ ...bound.value, call, addresses: addresses.value, lease, seq: recorded.seq });
  }

  /** Streams the call under its lease, and closes its permit with an outcome. */
  async #execute(found: Findings, permit: Permit, { exchange, carrier, mouth }: Arrival<E>): Promise<void> {
    const { lineage, observer } = this.#parts;
    const { call, lease, seq, addresses, body } = permit;
    const agent = agentOf(permit.coverage.grant);
    const passage = { call, exchange, addresses, lease, agent, permit: seq };
    const alive = lease.alive;
    if (alive) found.used = 'unknown';
    const ended = alive
      ? await this.#carry(body ? { ...passage, body } : passage, mouth)
      : neverSent(lease.ended ?? 'internal_error');
    found.used = ended;
    lease.close();
    body?.release();
    if (ended.ended === 'cut' && !ended.answered) await this.#refuseCut(found, { seq, ended, exchange });
    else await lineage.append(this.#closing(found, seq)).catch(onlyUnavailable);
    observer.finished({ ...ended, id: call.id, carrier, host: call.host, permit: seq });
  }

  #carry(passage: Passage<E>, mouth: TunnelMouth | undefined): Promise<Ended> {
    if (passage.call.action !== 'CONNECT') return this.#parts.upstream.execute(passage);
    if (!mouth) throw new Error('a CONNECT that cannot become a tunnel was permitted');
    return mouth.splice(passage);
  }

  /** The entry that closes a permit. Whoever asks for it appends it in the same turn. */
  #closing(found: Findings, permit: number): EntryRequest {
    const { used } = found;
    const ended = typeof used === 'object' ? used : neverSent('internal_error');
    const outcome = outcomeEntry(this.#parts.fresh().id, permit, ended);
    found.used = 'told';
    return outcome;
  }

  /** A permitted call that was cut before its response head: outcome and denial in one batch, nothing more is charged. */
  async #refuseCut(
    found: Findings,
    { seq, ended, exchange }: { seq: number; ended: Ended; exchange: E },
  ): Promise<void> {
    const { fresh, refuser } = this.#parts;
    const refusal = deny(
      ended.by ?? 'internal_error',
      ended.why ?? 'the lease ended before the response began',
    );
    const after = { ...found, id: fresh().id };
    const refused = await refuser.refuseAfter(this.#closing(found, seq), after, refusal);
    this.#kept.keep(refused.denial, found.grant);
    exchange.refuse(refused.denial);
  }

  /** A permit that became durable after its call was refused: it was never used, and its use stays charged. */
  #closeLate(permit: number): void {
    const outcome = outcomeEntry(this.#parts.fresh().id, permit, neverSent('log_unavailable'));
    this.#parts.lineage.append(outcome).catch(onlyUnavailable);
  }

  async #refuse(found: Findings, refusal: Refusal, given: Given): Promise<void> {
    found.lease?.close();
    found.body?.release();
    const { refuser } = this.#parts;
    const { permit, used } = found;
    const refused =
      permit === undefined || used === 'unknown' || used === 'told'
        ? await refuser.refuse(found, refusal)
        : await refuser.refuseAfter(this.#closing(found, permit), found, refusal); // a fault came between the two
    if (refused) this.#kept.keep(refused.denial, found.grant);
    if (refused) given.arrival.exchange.refuse(refused.denial);
    else given.arrival.exchange.drop();
    this.#report(found, given.arrival, { began: given.began, refusal, refused });
  }

  /** For every throw on the way: a denial all the same, and a closed connection where even that fails. */
  async #fail(found: Findings, cause: unknown, given: Given): Promise<void> {
    const code = cause instanceof LineageUnavailable ? 'log_unavailable' : 'internal_error';
    const after = found.permit === undefined ? found : { ...found, id: this.#parts.fresh().id }; // the permit has the call's
    try {
      await this.#refuse(after, deny(code, causeText(cause)), given);
    } catch (worse) {
      given.arrival.exchange.drop();
      this.#report(found, given.arrival, {
        began: given.began,
        refusal: deny('internal_error', causeText(worse)),
      });
    }
  }

  #report(found: Findings, { head, carrier }: Refusable, what: Reported): void {
    const { refusal, refused, began } = what;
    const seq = what.seq ?? refused?.seq;
    const host = found.call?.host ?? found.redirected?.name;
    if (refusal && seq === undefined) this.#parts.observer.aggregated(refusal.code);
    this.#parts.observer.decided({
      id: found.id,
      carrier,
      method: head.method,
      verdict: refusal ? 'deny' : 'permit',
      reasons: refusal?.reasons ?? [],
      ms: this.#parts.clock.monotonic() - began,
      ...(host !== undefined && { host }),
      ...(found.call && found.rules.path === 'full' && { path: found.call.path }),
      ...(refusal ? { code: refusal.code, detail: refusal.detail } : {}),
      ...(seq === undefined ? {} : { seq }),
    });
  }
}

/** A strict call under a grant that is good. */
interface Verified {
  readonly call: Call;
  readonly grant: Grant;
}

/** Whom a refusal is told. */
interface Refusable {
  readonly head: RawHead;
  readonly carrier: Carrier;
  readonly exchange: Pick<Exchange, 'refuse' | 'drop'>;
}

/** Nobody asked for anything yet. */
const NOBODY: Refusable['exchange'] = { refuse: () => undefined, drop: () => undefined };

/** What answering a refusal takes. `began`: monotonic milliseconds. */
interface Given<A extends Refusable = Refusable> {
  readonly arrival: A;
  readonly began: number;
}

/** What the observers hear of. */
interface Reported {
  readonly began: number;
  readonly seq?: number;
  readonly refusal?: Refusal;
  readonly refused?: Refused | undefined;
}

function onlyUnavailable(cause: unknown): void {
  if (!(cause instanceof LineageUnavailable)) throw cause;
}
