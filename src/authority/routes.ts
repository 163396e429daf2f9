/** The authority over HTTP: `POST /authority/grants`. Whoever mounts it guards it with the admin token, and bounds its body. */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { z } from 'zod';
import { parseStrictJson } from '../crypto/json.ts';
import { denials } from '../denial/table.ts';
import type { IssuedGrant } from '../grant/issue.ts';
import type { Authority } from './service.ts';

/** What the routes need. */
export interface AuthorityRoutes {
  readonly authority: Authority;
  /** Makes the issue durable (`grantEntry`); rejects where it cannot, and then no token leaves. */
  readonly record: (issued: IssuedGrant) => Promise<void>;
}

const MAX_BODY_BYTES = 16 * 1024;

/** The body of a request. What it asks for is judged by the rules for claims, here only its shape. */
const wishSchema = z.strictObject({
  sub: z.string(),
  aud: z.string().exactOptional(),
  seconds: z.int().positive().exactOptional(),
  delay: z.int().nonnegative().exactOptional(),
  authorization_details: z.array(z.json()),
  claims: z.record(z.string(), z.string()).exactOptional(),
  intent: z.string().exactOptional(),
  policy: z.string().exactOptional(),
});

/** The routes. 201 with the token once its issue is on record; else a problem (RFC 9457) and nothing issued. */
export function authorityRoutes({ authority, record }: AuthorityRoutes): Hono {
  const routes = new Hono();
  routes.post('/authority/grants', async (context) => {
    const text = await context.req.text(); // whoever mounts this bounds what is read
    if (Buffer.byteLength(text) > MAX_BODY_BYTES)
      return problem(context, 413, { title: 'The request is larger than 16 KiB' });
    const wish = wishSchema.safeParse(parseStrictJson(text));
    if (!wish.success)
      return problem(context, 400, {
        title: 'Not a request for a grant',
        detail: z.prettifyError(wish.error),
      });
    const issued = authority.issue(wish.data);
    if (!issued.ok)
      return problem(context, 422, { title: denials[issued.code].title, detail: issued.detail });
    const { token, grant } = issued.value;
    try {
      await record(issued.value);
    } catch {
      return problem(context, 503, { title: 'The grant cannot be recorded, so it was not issued' });
    }
    context.header('Cache-Control', 'no-store');
    return context.json({ token, jti: grant.root.jti, expires: grant.root.exp, recorded: true }, 201);
  });
  return routes;
}

function problem(
  context: Context,
  status: 400 | 413 | 422 | 503,
  said: { readonly title: string; readonly detail?: string },
): Response {
  const body = JSON.stringify({ ...said, status });
  return context.body(body, status, { 'Content-Type': 'application/problem+json' });
}
