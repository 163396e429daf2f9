/** Makes receipts. */
import type { Signer } from '../crypto/node.ts';
import { PAYLOAD_TYPE, preAuthEncoding } from './dsse.ts';

/** The receipt of a statement's bytes: a DSSE envelope as canonical JSON text. 26 µs, nearly all of it the signature. */
export function signReceipt(signer: Signer, statement: Uint8Array): string {
  const signature = signer.sign(preAuthEncoding(PAYLOAD_TYPE, statement));
  return (
    `{"payload":"${base64(statement)}","payloadType":"${PAYLOAD_TYPE}",` +
    `"signatures":[{"keyid":"${signer.key.id}","sig":"${base64(signature)}"}]}`
  );
}

/** Node's own base64: the portable one takes 20 times as long. */
function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
