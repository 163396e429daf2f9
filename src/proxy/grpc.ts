/** Replies of ours to a gRPC call, as its clients can read them (gRPC over HTTP/2, "Responses"). */
import type { Call } from '../call/call.ts';
import type { Reply } from './reply.ts';

/** HTTP status → gRPC status, as its clients map them themselves. */
const GRPC_STATUS: Readonly<Record<number, number>> = { 403: 7, 407: 16, 421: 14, 502: 14, 503: 14, 504: 14 };
const UNKNOWN = 2;
const MAX_DOCUMENT = 5 * 1024;

/** Whether a request, as `name, value, …`, is a gRPC call. */
export function isGrpc(fields: readonly string[]): boolean {
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'content-type');
  return at >= 0 && isGrpcType(fields[at + 1] ?? '');
}

/** The same of a call. */
export function isGrpcCall({ headers }: Pick<Call, 'headers'>): boolean {
  return headers.some(([name, value]) => name === 'content-type' && isGrpcType(value));
}

function isGrpcType(type: string): boolean {
  return /^application\/grpc(?:$|[+;])/.test(type);
}

/** What these fields, `name, value, …`, say that a gRPC call ended with; undefined unless they say it once, in digits. */
export function grpcStatusOf(fields: readonly string[]): number | undefined {
  const [status = '', ...others] = fields.filter(
    (_text, i) => i % 2 === 1 && fields[i - 1] === 'grpc-status',
  );
  return others.length === 0 && /^\d{1,3}$/.test(status) ? Number(status) : undefined;
}

/**
 * A reply of ours as the one head that gRPC clients read ("Trailers-Only"): a body would be taken for a message. The
 * document travels as binary metadata, which clients decode to its exact bytes; one that would pass the 8 KiB of
 * metadata that many clients accept stays away.
 */
export function grpcHead({ status, headers, body }: Reply): readonly string[] {
  const { title = '', code = '', instance = '' } = JSON.parse(body) as Record<string, string>; // our own document
  const message = [title, code, instance].filter(Boolean).join(', '); // nothing but what the document says
  const kept = headers.filter((_text, i) => headers[i - (i % 2)] !== 'content-type');
  return [
    ...kept,
    ...['content-type', 'application/grpc'],
    ...['grpc-status', String(GRPC_STATUS[status] ?? UNKNOWN)],
    ...['grpc-message', percentEncode(message)],
    ...(body.length > MAX_DOCUMENT ? [] : ['writ-problem-bin', Buffer.from(body).toString('base64')]),
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
