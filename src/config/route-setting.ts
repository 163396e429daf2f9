/** How a reverse route stands in the settings. */
import * as z from 'zod';
import { METHOD_OVERRIDES } from './method-overrides.ts';
import { hostName, http, origin, pathPrefix } from './values.ts';

const route = z.strictObject({
  prefix: pathPrefix.optional(),
  host: hostName.optional(),
  upstream: origin,
  http: http.optional(),
  encoded_slash: z.enum(['reject', 'segment'], 'must be reject or segment').prefault('reject'),
  overrides: z.array(z.enum(METHOD_OVERRIDES, `must be one of ${METHOD_OVERRIDES.join(', ')}`)).prefault([]),
});

/** Reverse routes, no two for the same calls. */
export const routes = z.array(route, 'must be a list of routes').superRefine((all, context) => {
  const seen = new Set<string>();
  all.forEach(({ prefix = '/', host = '' }, i) => {
    if (seen.has(`${host} ${prefix}`))
      context.addIssue({ code: 'custom', path: [i], message: 'is the same route twice' });
    seen.add(`${host} ${prefix}`);
  });
});
