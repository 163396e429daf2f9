/** What the operator may ask, with the token. */
import { Hono } from 'hono';
import { fromBase64 } from '../crypto/base64.ts';
import { decodeUtf8 } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { pruningDraft } from '../lineage/pruned.ts';
import type { ServedLog } from '../lineage/tiles/served.ts';
import { problem } from './problem.ts';
import type { Readiness } from './readiness.ts';
import { bundlesPart, gone } from './tiles.ts';

/** What came of a reload: the new rules hold, or the old ones do and here is why. */
export type Reloaded = { readonly ok: true } | { readonly ok: false; readonly faults: readonly string[] };

/** What the operator's part works on. */
export interface OperatorParts {
  readonly readiness: Readiness;
  readonly lineage: Lineage;
  readonly served: ServedLog;
  /** Version, bundle, settings digest, ports …: plain JSON without secrets. */
  readonly status: () => object;
  /** The same as SIGHUP. */
  readonly reload: () => Promise<Reloaded>;
  /** The embedded authority (`writ dev` only): `/authority/*`. */
  readonly authority?: Hono | undefined;
}

const SEQ = ':seq{[0-9]{1,15}}';
const NO_ENTRY = 'The log has no such entry.';

/** `/api/*` and `/authority/*`. */
export function operatorPart({ readiness, lineage, served, status, reload, authority }: OperatorParts): Hono {
  const part = new Hono()
    .get('/api/status', async (context) => {
      const log = await lineage.health();
      const readyReport = { ...readiness.report(), reasons: readiness.reasons() };
      return context.json({ ...status(), origin: lineage.origin, readiness: readyReport, log });
    })
    .get(`/api/entries/${SEQ}`, async (context) => {
      const seq = Number(context.req.param('seq'));
      const statement = statementOf(await lineage.receipt(seq));
      return statement === undefined ? noEntry(served, seq) : json(statement);
    })
    .get(`/api/receipt/${SEQ}`, async (context) => {
      const seq = Number(context.req.param('seq'));
      const [receipt, proof] = await Promise.all([lineage.receipt(seq), served.proof(seq)]);
      if (receipt === undefined || proof === undefined) return noEntry(served, seq);
      return json(`{"receipt":${receipt},"proof":${JSON.stringify(proof)}}`);
    })
    .post('/api/prune', async (context) => {
      const until = untilIn(await context.req.text());
      const root = until === undefined ? undefined : await served.rootAt(until);
      if (until === undefined || !root) return problem(400, 'Name the first entry that stays: {"until":N}.');
      const { seq } = await lineage.append({ ...pruningDraft({ until, root }), receipt: false });
      return context.json({ entry: seq });
    })
    .post('/api/reload', async (context) => {
      const reloaded = await reload();
      return context.json(reloaded, reloaded.ok ? 200 : 409);
    })
    .route('/', bundlesPart(served));
  return authority ? part.route('/', authority) : part;
}

/** Before the first entry that stays at least one goes. */
function untilIn(body: string): number | undefined {
  const given = parseStrictJson(body);
  const until = isJsonObject(given) ? given['until'] : undefined;
  return Number.isSafeInteger(until) && Number(until) > 1 ? Number(until) : undefined;
}

function noEntry(served: ServedLog, seq: number): Response {
  return served.isPruned(seq) ? gone() : problem(404, NO_ENTRY);
}

function json(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'application/json' } });
}

/** The statement inside a DSSE envelope: the very bytes of the entry, as text. */
function statementOf(envelope: string | undefined): string | undefined {
  const parsed = envelope === undefined ? undefined : parseStrictJson(envelope);
  const payload = isJsonObject(parsed) ? parsed['payload'] : undefined;
  const bytes = typeof payload === 'string' ? fromBase64(payload) : undefined;
  return bytes && decodeUtf8(bytes);
}
