/** Bodies of those who are not trusted with our memory. */

/** The body of a response, or undefined where it is longer than so many bytes. */
export async function firstBytes(response: Response, limit: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array; // a body's chunks are bytes (Fetch §2.2.4)
    length += bytes.length;
    if (length > limit) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
