/** How large a head may be (threats.md §2). These rules look at nothing but counts. */
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import type { RawHead } from './call.ts';

const MAX_HEADERS = 100;
const MAX_HEAD_OCTETS = 16 * 1024;
const MAX_TARGET_OCTETS = 8 * 1024;

/** RFC 9112 §2.3, RFC 9113: the versions whose framing we know. */
export function unknownVersion({ version, stream }: RawHead): Refusal | undefined {
  if (stream ? version === '2' : version === '1.1' || version === '1.0') return undefined;
  return deny('http_version_unsupported', `HTTP/${version}`);
}

/** RFC 9110 §5.4: at most 100 headers, counted in pairs. */
export function tooManyHeaders({ headers }: RawHead): Refusal | undefined {
  if (headers.length <= 2 * MAX_HEADERS) return undefined;
  return deny('header_count', `${headers.length / 2} headers`);
}

/** RFC 9112 §3: a target of at most 8 KiB. */
export function targetTooLarge({ target }: RawHead): Refusal | undefined {
  if (target.length <= MAX_TARGET_OCTETS) return undefined;
  return deny('target_too_large', `${target.length} octets of target`);
}

/** RFC 9110 §5.4: request line and headers of at most 16 KiB, as they stood on the wire without optional spaces. */
export function headTooLarge({ method, target, headers, stream }: RawHead): Refusal | undefined {
  let octets = method.length + target.length + ' '.length + ' HTTP/1.1\r\n\r\n'.length;
  octets += (stream?.authority?.length ?? 0) + (stream?.scheme?.length ?? 0);
  for (const part of headers) octets += part.length + 2; // ': ' after a name, CRLF after a value
  if (octets <= MAX_HEAD_OCTETS) return undefined;
  return deny('head_too_large', `${octets} octets of head`);
}
