/**
 * The log's public face as c2sp.org/tlog-tiles and proofs: hashes and signed heads for anyone, entries for the operator
 * only. The agent shares loopback with this listener, so what reaches the log's writer is bounded.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Hono } from 'hono';
import type { MiddlewareHandler } from 'hono';
import { toBase64 } from '../crypto/base64.ts';
import { TILE_WIDTH } from '../lineage/tiles/tile.ts';
import { parseTilePath } from '../lineage/tiles/path.ts';
import type { TileResource } from '../lineage/tiles/path.ts';
import type { ServedLog } from '../lineage/tiles/served.ts';
import { problem } from './problem.ts';

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' };
const BYTES = { 'content-type': 'application/octet-stream' };
/** Tiles never change: 10 million entries are a thousand requests once, then none. */
const FOR_EVER = 'max-age=31536000, immutable';
const MAX_PUBLIC = 8;
const MAX_BUNDLES = 2;
/** A number as it is written in one way only; what else stands there is no such thing. */
const NUMBER = '{(?:0|[1-9][0-9]{0,14})}';

const deflate = promisify(gzip);

/** `/checkpoint /tile/<L>/<N>[.p/<W>] /.well-known/writ/{checkpoint,proof/<n>,consistency/<old>/<new>}`: public. */
export function tilesPart(log: ServedLog): Hono {
  const bounded = atMost(MAX_PUBLIC);
  return new Hono()
    .get('/checkpoint', async (context) => context.body(await log.checkpoint(), 200, fresh))
    .get('/.well-known/writ/checkpoint', async (context) => context.body(await log.newest(), 200, fresh))
    .get(`/.well-known/writ/proof/:seq${NUMBER}`, bounded, async (context) => {
      const proof = await log.proof(Number(context.req.param('seq')));
      return proof === undefined ? nothing() : context.body(proof, 200, PLAIN);
    })
    .get(`/.well-known/writ/consistency/:old${NUMBER}/:new${NUMBER}`, bounded, async (context) => {
      const hashes = await log.consistency(
        Number(context.req.param('old')),
        Number(context.req.param('new')),
      );
      return hashes
        ? context.body(hashes.map((hash) => `${toBase64(hash)}\n`).join(''), 200, PLAIN)
        : nothing();
    })
    .get('/tile/*', bounded, async (context, next) => {
      const resource = parseTilePath(context.req.path.slice(1));
      if (resource?.kind === 'entries') return next();
      const bytes = resource && (await log.resource(resource));
      return bytes ? new Response(Buffer.from(bytes), { headers: kept('public') }) : nothing();
    });
}

/** `/tile/entries/<N>[.p/<W>]`: for the operator. */
export function bundlesPart(log: ServedLog): Hono {
  return new Hono().get('/tile/entries/*', atMost(MAX_BUNDLES), async (context) => {
    const resource = parseTilePath(context.req.path.slice(1));
    const bytes = resource && (await log.resource(resource));
    if (resource && !bytes && firstsOf(resource).some((seq) => log.isPruned(seq))) return gone();
    if (!bytes) return nothing();
    const zipped = /\bgzip\b/.test(context.req.header('accept-encoding') ?? '');
    const headers = { ...kept('private'), vary: 'accept-encoding' };
    if (!zipped) return new Response(Buffer.from(bytes), { headers });
    return new Response(new Uint8Array(await deflate(bytes)), {
      headers: { ...headers, 'content-encoding': 'gzip' },
    });
  });
}

/** Refuses what comes while so many are being answered. */
function atMost(limit: number): MiddlewareHandler {
  let running = 0;
  return async (_, next) => {
    if (running >= limit)
      return problem(503, `At most ${limit} of these are answered at a time.`, { 'retry-after': '1' });
    running++;
    await next().finally(() => running--);
    return undefined;
  };
}

const fresh = { ...PLAIN, 'cache-control': 'no-cache' };

function kept(scope: 'public' | 'private'): Record<string, string> {
  return { ...BYTES, 'cache-control': `${scope}, ${FOR_EVER}` };
}

function nothing(): Response {
  return problem(404, 'The log has no such thing.');
}

/** Entry 0 always stays, so that the first bundle is looked at by its second entry. */
function firstsOf({ address, width }: TileResource): readonly number[] {
  const first = address.index * TILE_WIDTH;
  return [first, first + Math.min(1, width - 1)];
}

/** An entry that was pruned: the log had it, and its hash is still in the tree. */
export function gone(): Response {
  return problem(410, 'It was pruned: a later gap entry of the log says so. Its hash tiles stay.');
}
