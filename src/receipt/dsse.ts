/** DSSE v1 envelopes (github.com/secure-systems-lab/dsse) around our statements. Portable. */
import { concatBytes, encodeUtf8 } from '../crypto/bytes.ts';

/** The one payload type of receipts. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** A receipt on the wire. Nothing in it is verified. */
export interface Envelope {
  /** Standard base64 of the statement's bytes. */
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** The pre-authentication encoding: what is signed. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  return concatBytes(encodeUtf8(`DSSEv1 ${type.length} `), type, encodeUtf8(` ${payload.length} `), payload);
}
