/** Which of the agent's headers go on to the upstream. Runs after every security header was read. */
import type { Header } from './call.ts';
import type { HeaderSection } from './headers.ts';
import { connectionOptions, isHopByHop } from './hop-by-hop.ts';
import type { Trace } from './trace.ts';

/** Headers that the sidecar answers, writes itself, or takes from nobody. */
const OURS: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'forwarded',
  'host',
  'traceparent',
  'x-real-ip',
]);

/** Whether a lower-case name is never forwarded as it came. */
export function isCleaned(name: string): boolean {
  return OURS.has(name) || isHopByHop(name) || name.startsWith('writ-') || name.startsWith('x-forwarded-');
}

/** The headers to forward: `host` first, then what may pass, in order, then `traceparent`. */
export function forwardedHeaders(section: HeaderSection, host: string, trace: Trace): readonly Header[] {
  const listed = connectionOptions(section.values.get('connection'));
  const passes = ([name]: Header): boolean =>
    !isCleaned(name) && !listed.has(name) && (trace.continued || name !== 'tracestate');
  return [['host', host], ...section.list.filter(passes), ['traceparent', trace.parent]];
}
