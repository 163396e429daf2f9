/** Replies of ours to a gRPC call: its clients read the status from trailers (gRPC over HTTP/2, "Responses"). */
import type { Header } from '../call/call.ts';
import type { Reply } from './reply.ts';

/** HTTP status → gRPC status, as its clients map them themselves where no trailers come. */
const GRPC_STATUS: Readonly<Record<number, number>> = { 403: 7, 407: 16, 421: 14, 502: 14, 503: 14, 504: 14 };
const UNKNOWN = 2;

/** Whether a request, as `name, value, …`, is a gRPC call. */
export function isGrpc(fields: readonly string[]): boolean {
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'content-type');
  return at >= 0 && /^application\/grpc(?:$|[+;])/.test(fields[at + 1] ?? '');
}

/** The trailers for a reply of ours; `grpc-message` names nothing but what the reply's body says. */
export function grpcTrailers({ status, body }: Reply): readonly Header[] {
  const { title = '', code = '', instance = '' } = JSON.parse(body) as Record<string, string>; // our own document
  const message = [title, code, instance].filter(Boolean).join(', ');
  return [
    ['grpc-status', String(GRPC_STATUS[status] ?? UNKNOWN)],
    ['grpc-message', percentEncode(message)],
  ];
}

/** Percent-encoded outside printable ASCII, as the protocol has it. */
function percentEncode(text: string): string {
  const octets = [...Buffer.from(text)];
  const plain = (octet: number): boolean => octet >= 0x20 && octet <= 0x7e && octet !== 0x25;
  return octets
    .map((octet) =>
      plain(octet) ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}
