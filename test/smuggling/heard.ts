/** Reads what came back on a connection, reply by reply, and says what each of them is. */

/** One reply, as it stood on the wire. Octets as latin1. */
export interface Heard {
  readonly status: number;
  /** Lower-case names; of repeated ones the last value. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** All final replies of a text; `rest` is what is not a whole reply. */
export function readReplies(text: string, bodiless = false): { heard: readonly Heard[]; rest: string } {
  const heard: Heard[] = [];
  let rest = text;
  for (;;) {
    const [head = '', status = ''] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest) ?? [];
    if (status === '') return { heard, rest };
    const headers = headersOf(head);
    const interim = status.startsWith('1') && status !== '101';
    const none = interim || status === '204' || status === '304' || (bodiless && heard.length === 0);
    const body = none ? { text: '', taken: 0 } : bodyOf(rest.slice(head.length), headers);
    if (!body) return { heard, rest };
    rest = rest.slice(head.length + body.taken);
    if (!interim) heard.push({ status: Number(status), headers, body: body.text });
  }
}

/** `permit`, the code of a denial, the type of a failed upstream, or a status. */
export function nameOf({ status, headers, body }: Heard): string {
  const decision = headers['writ-decision'] ?? '';
  if (body.includes('"urn:writ:upstream:')) return /urn:writ:upstream:(\w+)/.exec(body)?.[1] ?? '';
  if (decision.startsWith('permit; ')) return 'permit';
  return /^deny; id="[^"]+"; code=(\w+)$/.exec(decision)?.[1] ?? String(status);
}

/** The call that a reply says to answer. */
export function idOf({ headers }: Heard): string {
  return /; id="([^"]+)"/.exec(headers['writ-decision'] ?? '')?.[1] ?? '';
}

function headersOf(head: string): Record<string, string> {
  const lines = head.split('\r\n').slice(1, -2);
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function bodyOf(
  text: string,
  headers: Readonly<Record<string, string>>,
): { text: string; taken: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') return chunksOf(text);
  const length = Number(headers['content-length'] ?? 0);
  return text.length < length ? undefined : { text: text.slice(0, length), taken: length };
}

function chunksOf(text: string): { text: string; taken: number } | undefined {
  let [body, at] = ['', 0];
  for (;;) {
    const [line] = /^[0-9a-f]+\r\n/i.exec(text.slice(at)) ?? [];
    if (line === undefined) return undefined;
    const size = Number.parseInt(line, 16);
    const start = at + line.length;
    const end = size === 0 ? text.indexOf('\r\n', start) : start + size; // no trailers are looked for
    if (end < start || text.length < end + 2) return undefined;
    body += text.slice(start, start + size);
    at = end + 2;
    if (size === 0) return { text: body, taken: at };
  }
}
