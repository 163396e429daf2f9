/** Counts and digests what streams in one direction, for the outcome entry. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Header } from '../call/call.ts';
import { sha256Hex, sha3Hex } from '../crypto/node.ts';
import { EMPTY } from '../gate/record.ts';
import type { Digests, Streamed } from '../lineage/statement.ts';

/** The digest of one direction. A body of one chunk, the common case, is hashed once and in one go. */
export class StreamDigest {
  #bytes = 0;
  #only: Uint8Array | undefined;
  #hashes: { readonly sha256: Hash; readonly sha3: Hash } | undefined;
  #trailers: Digests | undefined;

  /** Takes one chunk; its bytes must not change afterwards. */
  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.#bytes === 0) this.#only = chunk;
    else this.#stream(chunk);
    this.#bytes += chunk.length;
  }

  /** Takes what follows the last chunk. */
  end(trailers: readonly Header[]): void {
    if (trailers.length === 0) return;
    const text = JSON.stringify(trailers);
    this.#trailers = { sha256: sha256Hex(text), sha3_512: sha3Hex(text) };
  }

  /** Bytes and digests of all that was taken. Once only. */
  close(): Streamed {
    const body = this.#closeBody();
    return this.#trailers ? { ...body, trailers: this.#trailers } : body;
  }

  #closeBody(): Streamed {
    const bytes = this.#bytes;
    if (this.#hashes) {
      const { sha256, sha3 } = this.#hashes;
      return { bytes, sha256: sha256.digest('hex'), sha3_512: sha3.digest('hex') };
    }
    return this.#only ? { bytes, sha256: sha256Hex(this.#only), sha3_512: sha3Hex(this.#only) } : EMPTY;
  }

  #stream(chunk: Uint8Array): void {
    this.#hashes ??= { sha256: createHash('sha256'), sha3: createHash('sha3-512') };
    const { sha256, sha3 } = this.#hashes;
    if (this.#only) {
      sha256.update(this.#only);
      sha3.update(this.#only);
      this.#only = undefined;
    }
    sha256.update(chunk);
    sha3.update(chunk);
  }
}
