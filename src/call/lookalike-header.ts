/** Underscore twins: CGI, WSGI and their kin read `writ_grant` and `writ-grant` as one header (RFC 3875 §4.1.18). */
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import { isCleaned } from './forwarded-headers.ts';
import type { HeaderSection } from './headers.ts';
import { isOverride } from './method.ts';

/** A name with an underscore whose hyphen form we read, clean or refuse, or that stands in the same head. */
export function lookalikeHeader({ list, values }: HeaderSection): Refusal | undefined {
  for (const [name] of list) {
    if (!name.includes('_')) continue;
    const meant = name.replaceAll('_', '-');
    if (isCleaned(meant) || isOverride(meant) || values.has(meant)) return deny('header_lookalike', name);
  }
  return undefined;
}
