/** Close frames of ours (RFC 6455 §5.5.1), and which status codes may stand in others' (§7.4). */

/** Why the sidecar ends a WebSocket, and the code that both ends hear (RFC 6455 §7.4.1; 1014: IANA's registry). */
const CLOSE_CODES = {
  /** The agent has gone: for the upstream. */
  going_away: 1001,
  protocol: 1002,
  /** The lease ended. */
  policy: 1008,
  too_big: 1009,
  /** The upstream has gone, or broke its TLS or TCP: for the agent. */
  bad_gateway: 1014,
} as const;

/** A name of the table. */
export type CloseCode = keyof typeof CLOSE_CODES;

const FINAL_CLOSE = 0x88;
const MASKED = 0x80;

/** The Close frame for one end. Towards the upstream it is masked as a client's must be; its text is no secret. */
export function closeFrame(code: CloseCode, to: 'agent' | 'upstream'): Buffer {
  const status = CLOSE_CODES[code];
  const payload = [status >> 8, status & 0xff];
  const masked = to === 'upstream';
  return Buffer.from([
    FINAL_CLOSE,
    payload.length | (masked ? MASKED : 0),
    ...(masked ? [0, 0, 0, 0] : []),
    ...payload,
  ]);
}

/** RFC 6455 §7.4: codes that may stand in a frame. 1004–1006 and 1015 never do, and 0–999 mean nothing. */
export function isCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}
