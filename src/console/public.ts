/** What anyone may ask: health, metrics, and hashes and keys for those who verify. Never an entry's contents. */
import { Hono } from 'hono';
import type { ServedLog } from '../lineage/tiles/served.ts';
import type { Metrics } from './metrics.ts';
import { problem } from './problem.ts';
import type { Readiness } from './readiness.ts';
import { tilesPart } from './tiles.ts';

/** What the public part shows. */
export interface PublicParts {
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly served: ServedLog;
  /** JSON text of what a verifier needs: `{"receiptKeys":[JWK…],"tlogPolicy":"…"}` (formats.md §0). */
  readonly trustFile: () => string;
  /** The denial of an id, where the headers of the request may see it. */
  readonly denial: (id: string, headers: Headers) => string | undefined;
  /** PEM of the certificate authority that agents are to trust. */
  readonly certificateAuthority: string;
}

const JSON_TEXT = { 'content-type': 'application/json' };
const DENIAL = { 'content-type': 'application/problem+json' };
const PEM = { 'content-type': 'application/x-pem-file' };
const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };

/** `/livez /readyz /metrics /checkpoint /tile/* /.well-known/writ/*`. */
export function publicPart(parts: PublicParts): Hono {
  const { readiness, metrics, served, trustFile, certificateAuthority, denial } = parts;
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
    .get('/.well-known/writ/receipt/:id', (context) => {
      const body = denial(context.req.param('id'), context.req.raw.headers);
      if (body === undefined) return problem(404, 'No recent denial has this id and was of this grant.');
      return context.body(body, 200, DENIAL);
    })
    .get('/.well-known/writ/ca.pem', (context) => context.body(certificateAuthority, 200, PEM))
    .route('/', tilesPart(served))
    .get('/.well-known/writ/*', () => problem(404, 'There is nothing here.'));
}
