/**
 * The way of a call: verify → authorize → govern → record → execute → prove. The order stands in `#decide`, one step a
 * line; each step is a room of its own. What cannot be verified, decided, governed or recorded is refused, with proof.
 */
import type { Call, Carrier, RawHead } from '../call/call.ts';
import { readCall } from '../call/read.ts';
import type { Tunnel } from '../call/tunnel.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import { pairName } from '../grant/authorities.ts';
import { coverCall } from '../grant/scope.ts';
import type { Uses } from '../grant/uses.ts';
import type { GrantVerifier } from '../grant/verify.ts';
import { LineageUnavailable } from '../lineage/lineage.ts';
import type { EntryRequest, Lineage } from '../lineage/lineage.ts';
import type { PolicyEngine } from '../policy/decision.ts';
import { authorize } from './authorize.ts';
import { readBoundBody } from './bound-body.ts';
import type { BoundBody } from './bound-body.ts';
import { isTooLong } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Spool } from './held-body.ts';
import { keepInput } from './keep-input.ts';
import { limitLease } from './lease.ts';
import type { HeldLease, Leases } from './lease.ts';
import type { Observer } from './observer.ts';
import type { Address, Clock, Ended, Exchange, Fresh, Inputs, Upstream } from './outside.ts';
import { neverSent, outcomeEntry, permitEntry } from './record.ts';
import type { Refused, Refuser } from './refuser.ts';
import type { Rules } from './rules.ts';

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
  /** For bodies that are held, and too large for memory. */
  readonly spool: Spool;
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
  /** What its connection stands for, inside CONNECT and on the transparent port. */
  readonly tunnel?: Tunnel;
  readonly exchange: E;
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

  constructor(parts: GateParts<E>) {
    this.#parts = parts;
  }

  /** Takes one call from its head to its last byte and its last entry. Never rejects. */
  async run(arrival: Arrival<E>): Promise<void> {
    const began = this.#parts.clock.monotonic();
    const rules = this.#parts.rules();
    const found: Findings = {
      ...this.#parts.fresh(),
      head: arrival.head,
      rules,
      exposed: this.#parts.exposed(),
    };
    try {
      const permit = await this.#decide(found, arrival);
      if (!permit.ok) return await this.#refuse(found, permit, { arrival, began });
      this.#report(found, arrival, { began, seq: permit.value.seq });
      await this.#execute(found, permit.value, arrival);
    } catch (cause) {
      await this.#fail(found, cause, { arrival, began });
    }
  }

  /** Every step up to the durable permit. The first that does not pass is the answer. */
  async #decide(found: Findings, arrival: Arrival<E>): Promise<Outcome<Permit>> {
    const { clock, verifier, uses, policy, trust, leases, lineage, inputs, spool } = this.#parts;
    const { head, carrier, tunnel, exchange } = arrival;
    const { rules } = found;

    const call = readCall(head, { ...found, ...rules, carrier, ...(tunnel && { tunnel }) });
    if (!call.ok) return call;
    found.call = call.value;

    const grant = verifier.verify(call.value.credential, clock.wall(), policy.active?.digest);
    found.grant = grant.ok ? grant.value : grant.known;
    if (!grant.ok) return grant;

    if (isTooLong(found)) return deny('entry_too_large', 'path and intent');

    const { root, key } = grant.value;
    const lease = leases.open(pairName(root.iss, key), root.exp * 1000); // hears of expiry from here on
    found.lease = lease;

    const covered = coverCall(grant.value, call.value);
    if (!covered.ok) return covered;
    found.coverage = covered.value;
    const forPolicy = policy.content.length > 0;
    const reading = { call: call.value, coverage: covered.value, exchange, lease, spool, forPolicy };
    const bound = await readBoundBody(found, reading);
    if (!bound.ok) return bound;
    const { coverage } = bound.value;
    found.coverage = coverage;

    const decision = await authorize(found, { call: call.value, coverage, policy, trust, clock });
    if (!decision.ok) return decision;

    const trusted = trust();
    if (!trusted.ok) return trusted;

    const { entry } = coverage;
    const obligations = decision.value;
    const limited = limitLease(lease, { call: call.value, body: found.body, entry, obligations });
    if (!limited.ok) return limited;

    const addresses = await rules.resolver.vet(call.value); // the first byte that may leave
    if (!addresses.ok) return addresses;
    if (lease.ended) return deny(lease.ended, 'ended while it was decided');

    const use = uses.charge(coverage); // same turn as the append
    if (!use.ok) return use;

    const late = (seq: number): void => this.#closeLate(seq);
    const recorded = await lineage.append({ ...permitEntry(found, addresses.value), late }); // durable from here on
    found.permit = recorded.seq;
    keepInput(found, recorded.seq, inputs);
    return pass({ ...bound.value, call: call.value, addresses: addresses.value, lease, seq: recorded.seq });
  }

  /** Streams the call under its lease, and closes its permit with an outcome. */
  async #execute(found: Findings, permit: Permit, { exchange, carrier }: Arrival<E>): Promise<void> {
    const { upstream, lineage, observer } = this.#parts;
    const { call, lease, seq, addresses, body } = permit;
    const { iss, sub } = permit.coverage.grant.root;
    const passage = { call, exchange, addresses, lease, agent: `${iss} ${sub}`, permit: seq };
    const ended = lease.alive
      ? await upstream.execute(body ? { ...passage, body } : passage)
      : neverSent(lease.ended ?? 'internal_error');
    lease.close();
    body?.release();
    const outcome = outcomeEntry(this.#parts.fresh().id, seq, ended);
    if (ended.ended === 'cut' && !ended.answered) await this.#refuseCut(found, ended, { exchange, outcome });
    else await lineage.append(outcome).catch(onlyUnavailable);
    observer.finished({ ...ended, id: call.id, carrier, host: call.host, permit: seq });
  }

  /** A permitted call that was cut before its response head: outcome and denial in one batch, nothing more is charged. */
  async #refuseCut(
    found: Findings,
    ended: Ended,
    { exchange, outcome }: { exchange: E; outcome: EntryRequest },
  ): Promise<void> {
    const { fresh, refuser } = this.#parts;
    const refusal = deny(ended.by ?? 'internal_error', 'the lease ended before the response began');
    const refused = await refuser.refuseAfter(outcome, { ...found, id: fresh().id }, refusal);
    exchange.refuse(refused.denial);
  }

  /** A permit that became durable after its call was refused: it was never used, and its use stays charged. */
  #closeLate(permit: number): void {
    const outcome = outcomeEntry(this.#parts.fresh().id, permit, neverSent('log_unavailable'));
    this.#parts.lineage.append(outcome).catch(onlyUnavailable);
  }

  async #refuse(
    found: Findings,
    refusal: Refusal,
    given: { arrival: Arrival<E>; began: number },
  ): Promise<void> {
    found.lease?.close();
    found.body?.release();
    const refused = await this.#parts.refuser.refuse(found, refusal);
    if (refused) given.arrival.exchange.refuse(refused.denial);
    else given.arrival.exchange.drop();
    this.#report(found, given.arrival, { began: given.began, refusal, refused });
  }

  /** For every throw on the way: a denial all the same, and a closed connection where even that fails. */
  async #fail(found: Findings, cause: unknown, given: { arrival: Arrival<E>; began: number }): Promise<void> {
    const code = cause instanceof LineageUnavailable ? 'log_unavailable' : 'internal_error';
    const after = found.permit === undefined ? found : { ...found, id: this.#parts.fresh().id }; // the permit has the call's
    try {
      await this.#refuse(after, deny(code, describe(cause)), given);
    } catch (worse) {
      given.arrival.exchange.drop();
      this.#report(found, given.arrival, {
        began: given.began,
        refusal: deny('internal_error', describe(worse)),
      });
    }
  }

  #report(found: Findings, { head, carrier }: Arrival<E>, what: Reported): void {
    const { refusal, refused, began } = what;
    const seq = what.seq ?? refused?.seq;
    if (refusal && seq === undefined) this.#parts.observer.aggregated(refusal.code);
    this.#parts.observer.decided({
      id: found.id,
      carrier,
      method: head.method,
      verdict: refusal ? 'deny' : 'permit',
      reasons: refusal?.reasons ?? [],
      ms: this.#parts.clock.monotonic() - began,
      ...(found.call && { host: found.call.host }),
      ...(found.call && found.rules.path === 'full' && { path: found.call.path }),
      ...(refusal ? { code: refusal.code, detail: refusal.detail } : {}),
      ...(seq === undefined ? {} : { seq }),
    });
  }
}

/** What the observers hear of. */
interface Reported {
  readonly began: number;
  readonly seq?: number;
  readonly refusal?: Refusal;
  readonly refused?: Refused | undefined;
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

function onlyUnavailable(cause: unknown): void {
  if (!(cause instanceof LineageUnavailable)) throw cause;
}
