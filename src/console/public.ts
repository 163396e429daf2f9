/** What anyone may ask: health, metrics, and hashes and keys for those who verify. Never an entry's contents. */
import { Hono } from 'hono';
import type { ServedLog } from '../lineage/tiles-served.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';
import { tilesPart } from './tiles.ts';

/** What the public part shows. */
export interface PublicParts {
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly served: ServedLog;
  /** JSON text of what a verifier needs: `{"receiptKeys":[JWK…],"tlogPolicy":"…"}` (formats.md §0). */
  readonly trustFile: () => string;
}

const JSON_TEXT = { 'content-type': 'application/json' };
const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };

/** `/livez /readyz /metrics /checkpoint /tile/* /.well-known/writ/*`. */
export function publicPart({ readiness, metrics, served, trustFile }: PublicParts): Hono {
  return new Hono()
    .get('/livez', (context) => context.body('ok\n', 200, PLAIN))
    .get('/readyz', (context) => {
      const report = readiness.report();
      return context.json(report, report.ready ? 200 : 503);
    })
    .get('/metrics', async (context) => {
      return context.body(await metrics.text(), 200, { 'content-type': metrics.contentType });
    })
    .get('/.well-known/writ/keys', (context) => context.body(trustFile(), 200, JSON_TEXT))
    .route('/', tilesPart(served));
}
