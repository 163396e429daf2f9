/** What grant and policy allow narrows a lease, whichever is less. */
import t from 'tap';
import { systemClock } from '../../src/config/system.ts';
import type { Call } from '../../src/call/call.ts';
import { Leases, limitLease } from '../../src/gate/lease.ts';
import type { HeldLease } from '../../src/gate/lease.ts';
import type { ScopeEntry } from '../../src/grant/grant.ts';
import type { Obligation } from '../../src/policy/decision.ts';
import { foundAll } from './found.ts';

const plain: ScopeEntry = { locations: [], actions: [] };

function callOf(framing: Call['framing']): Call {
  const { call } = foundAll();
  if (!call) throw new Error('the call was read');
  return { ...call, framing };
}

const open = (): HeldLease => new Leases(systemClock).open('key', systemClock.wall() + 60_000);

t.test('the narrower limit counts, whoever set it', (t) => {
  const call = callOf({ kind: 'chunked' });
  const rows: [name: string, entry: Partial<ScopeEntry>, obligations: readonly Obligation[], up: number, down: number][] = [
    ['none', {}, [], Infinity, Infinity],
    ['the grant’s', { max_request_bytes: 5, max_response_bytes: 6 }, [], 5, 6],
    ['policy’s', {}, [{ type: 'max_request_bytes', value: 5 }, { type: 'max_response_bytes', value: 6 }], 5, 6],
    ['both, the grant less', { max_request_bytes: 5 }, [{ type: 'max_request_bytes', value: 9 }], 5, Infinity],
    ['both, policy less', { max_request_bytes: 9 }, [{ type: 'max_request_bytes', value: 5 }], 5, Infinity],
    ['two of policy', {}, [{ type: 'max_response_bytes', value: 9 }, { type: 'max_response_bytes', value: 7 }], Infinity, 7],
    ['nothing may be sent', { max_request_bytes: 0 }, [], 0, Infinity],
  ]; // prettier-ignore
  for (const [name, entry, obligations, up, down] of rows) {
    for (const [limit, count, code] of [
      [up, (lease: HeldLease, bytes: number) => lease.countRequest(bytes), 'lease_request_bytes'],
      [down, (lease: HeldLease, bytes: number) => lease.countResponse(bytes), 'lease_response_bytes'],
    ] as const) {
      const lease = open();
      t.match(limitLease(lease, { call, entry: { ...plain, ...entry }, obligations }), { ok: true }, name);
      t.ok(lease.admitsResponse(down), `${name}: a declared length up to the limit`);
      t.equal(lease.admitsResponse(down + 1), down === Infinity, `${name}: and not one more`);
      count(lease, Math.min(limit, 1e15));
      t.ok(lease.alive, `${name}: up to the limit`);
      if (limit < Infinity) {
        count(lease, 1);
        t.equal(lease.ended, code, `${name}: and not one more`);
      }
      lease.close();
    }
  }
  t.end();
});

t.test('a declared length that cannot fit is refused at once', (t) => {
  const rows: [Call['framing'], boolean][] = [
    [{ kind: 'length', bytes: 10 }, true],
    [{ kind: 'length', bytes: 11 }, false],
    [{ kind: 'chunked' }, true],
    [{ kind: 'none' }, true],
  ];
  for (const [framing, fits] of rows) {
    const lease = open();
    const entry = { ...plain, max_request_bytes: 10 };
    const limited = limitLease(lease, { call: callOf(framing), entry, obligations: [] });
    t.match(limited, fits ? { ok: true } : { ok: false, code: 'lease_request_bytes' }, JSON.stringify(framing));
    lease.close();
  }
  t.end();
}); // prettier-ignore

t.test('seconds end it, the fewer ones', async (t) => {
  const lease = open();
  const entry = { ...plain, max_seconds: 1 };
  const obligations = [{ type: 'max_seconds', value: 3600 }] as const;
  limitLease(lease, { call: callOf({ kind: 'none' }), entry, obligations });
  const held = setInterval(() => undefined, 10_000); // the lease's timer keeps no process alive
  const code = await new Promise((resolve) => lease.onEnd(resolve));
  clearInterval(held);
  t.equal(code, 'lease_seconds');
});
