/** `Content-Type`, read once and strictly (RFC 9110 §8.3): what a body claims to be. */
import type { Header } from './call.ts';

/** A media type in lower case, and its parameters by lower-case name. Attacker-controlled. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const TYPE = new RegExp(`^(${TOKEN}/${TOKEN})(.*)$`);
const PARAMETER = new RegExp(`^[ \\t]*;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"([^"\\\\]*)"))?[ \\t]*`);

/** The media type of a call's body; undefined where none, more than one or a malformed one is given. */
export function readMediaType(headers: readonly Header[]): MediaType | undefined {
  const given = headers.filter(([name]) => name === 'content-type');
  const [, type, tail] = TYPE.exec(given[0]?.[1] ?? '') ?? [];
  if (given.length !== 1 || type === undefined) return undefined;
  const parameters = readParameters(tail ?? '');
  return parameters && { type: type.toLowerCase(), parameters };
}

/** Types of messages one after the other, and of what is recorded while it is sent: such a body is quiet at times. */
const STREAMS =
  /^(?:application\/(?:grpc(?:-web)?(?:-text)?(?:\+.+)?|connect\+.+|(?:x-)?(?:ndjson|jsonl|jsonlines)|json-seq|stream\+json)|text\/event-stream|multipart\/x-mixed-replace|(?:audio|video)\/.+)$/;

/** Whether a body of this type (lower case) is a stream by what it says of itself. */
export function isStreamType(type: string): boolean {
  return STREAMS.test(type);
}

function readParameters(text: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  let rest = text.trimEnd();
  while (rest !== '') {
    const [whole, name, token, quoted] = PARAMETER.exec(rest) ?? [];
    if (whole === undefined) return undefined;
    rest = rest.slice(whole.length);
    if (name === undefined) continue;
    if (found.has(name.toLowerCase())) return undefined;
    found.set(name.toLowerCase(), token ?? quoted ?? '');
  }
  return found;
}
