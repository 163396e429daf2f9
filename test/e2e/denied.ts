/** Everything that must hold of one refusal, asserted at once. */
import type { Test } from 'tap';
import type { Json } from '../../src/crypto/json.ts';
import { node } from '../../src/crypto/node.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import type { TestHome } from './home.ts';
import type { Reply } from './wire.ts';

/** What a refusal must be. */
export interface Expected {
  readonly code: DenialCode;
  readonly status?: number;
  /** Not an entry of the log: signed only. */
  readonly unrecorded?: 'aggregated' | 'log_unavailable';
}

/** A refusal that was checked. */
export interface Denied {
  readonly id: string;
  /** The signed predicate. */
  readonly is: Readonly<Record<string, Json>>;
}

/** Checks status, body, header, receipt, proof and log; answers what was signed. */
export function assertDenied(t: Test, home: TestHome, given: { reply: Reply } & Expected): Denied {
  const { reply, code, status = 403, unrecorded } = given;
  t.equal(reply.status, status, `${code}: status`);
  const { instance } = JSON.parse(reply.body) as { instance: string }; // compared with what was signed
  const id = instance.slice('urn:uuid:'.length);
  t.equal(reply.headers['writ-decision'], `deny; id="${id}"; code=${code}`, `${code}: in the header`);
  t.equal(reply.headers['content-type'], 'application/problem+json', `${code}: a problem document`);
  t.equal(reply.headers['cache-control'], 'no-store', `${code}: not to be kept`);
  const details = `writ; error=http_request_denied; details="${code}"`;
  t.equal(reply.headers['proxy-status'], details, `${code}: Proxy-Status`);
  return assertReceipt(t, home, { body: reply.body, code, ...(unrecorded && { unrecorded }) });
}

/** Checks the document of a refusal, however it came: receipt, proof and log; answers what was signed. */
export function assertReceipt(t: Test, home: TestHome, given: { body: string } & Expected): Denied {
  const { code, unrecorded } = given;
  const body = JSON.parse(given.body) as { code: string; instance: string; proof: unknown }; // compared below
  const id = body.instance.slice('urn:uuid:'.length);
  t.equal(body.code, code, `${code}: in the body`);
  const { authentic, untampered, anchored, statement } = verifyDenial(node, given.body, home.trust());
  t.ok(authentic.proven, `${code}: authentic`, { authentic });
  t.ok(untampered.proven, `${code}: untampered`, { untampered });
  const is = (statement?.['predicate'] ?? {}) as Record<string, Json>; // verified: an object
  if (unrecorded) {
    t.match(anchored, { proven: false, code: 'not_recorded' }, `${code}: says that it is not in the log`);
    t.equal(body.proof, null, `${code}: no proof`);
    t.equal(is['why'], unrecorded, `${code}: and why`);
  } else {
    t.ok(anchored.proven, `${code}: anchored`, { anchored });
    const entry = home.entries(seqOf(is))[0];
    t.match(entry, { type: 'decision', id, is: { verdict: 'deny', code } }, `${code}: in the log`);
    t.equal(entry?.text, payloadOf(given.body), `${code}: the receipt is the entry, byte for byte`);
  }
  return { id, is };
}

/** The log position that a signed predicate names. */
export function seqOf(is: Readonly<Record<string, Json>>): number {
  return Number((is['entry'] as { seq?: number } | undefined)?.seq);
}

function payloadOf(body: string): string {
  const { receipt } = JSON.parse(body) as { receipt: { payload: string } }; // verified before
  return Buffer.from(receipt.payload, 'base64').toString();
}
