/** How witnesses are reached. */
import type { Post } from '../lineage/witness/client.ts';
import { postOutside } from './outside-post.ts';

const TYPE = 'text/plain; charset=utf-8';
const PATIENCE_MS = 5000;
/** A cosignature is a line. */
const MAX_ANSWER = 16_384;

/** POSTs to a witness; undefined where it does not answer in time, or with more than a witness has to say. */
export const postToWitness: Post = async (url, body) => {
  const answer = await postOutside({ url, type: TYPE, body, patienceMs: PATIENCE_MS, maxBytes: MAX_ANSWER });
  return answer && { status: answer.status, text: Buffer.from(answer.bytes).toString() };
};
