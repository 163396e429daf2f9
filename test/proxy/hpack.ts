/** A decoder of header blocks (RFC 7541) that is not nghttp2's: what it reads does not depend on who is under test. */

/** RFC 7541 appendix A, in order; a name alone has an empty value. */
const STATIC = (
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|' +
  ':status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((text) => [text.split(' ', 1)[0] ?? '', /^\S+ (.*)$/.exec(text)?.[1] ?? ''] as const);

/** RFC 7541 appendix B: the code is canonical, so its lengths say all. Symbols of each length; a pair is a range. */
const LENGTHS: readonly (readonly [bits: number, symbols: string])[] = [
  [5, '48-50 97 99 101 105 111 115 116'],
  [6, '32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117'],
  [7, '58 66-87 89 106 107 113 118-122'],
  [8, '38 42 44 59 88 90'],
  [10, '33 34 40 41 63'],
  [11, '39 43 124'],
  [12, '35 62'],
  [13, '0 36 64 91 93 126'],
  [14, '94 125'],
  [15, '60 96 123'],
  [19, '92 195 208'],
  [20, '128 130 131 162 184 194 224 226'],
  [21, '153 161 167 172 176 177 179 209 216 217 227 229 230'],
  [22, '129 132-134 136 146 154 156 160 163 164 169 170 173 178 181 185-187 189 190 196 198 228 232 233'],
  [23, '1 135 137-141 143 147 149-152 155 157 158 165 166 168 174 175 180 182 183 188 191 197 231 239'],
  [24, '9 142 144 145 148 159 171 206 215 225 236 237'],
  [25, '199 207 234 235'],
  [26, '192 193 200-202 205 210 213 218 219 238 240 242 243 255'],
  [27, '203 204 211 212 214 221-223 241 244-248 250-254'],
  [28, '2-8 11 12 14-21 23-31 127 220 249'],
  [30, '10 13 22 256'],
];

/** Bits as text → symbol. */
const HUFFMAN = new Map<string, number>();
{
  let [code, width] = [0, 0];
  for (const [bits, symbols] of LENGTHS)
    for (const range of symbols.split(' ')) {
      const [first = 0, last = first] = range.split('-').map(Number);
      for (let symbol = first; symbol <= last; symbol++) {
        code <<= bits - width;
        width = bits;
        HUFFMAN.set(code.toString(2).padStart(bits, '0'), symbol);
        code += 1;
      }
    }
}

/** One direction of a connection. */
export class HeaderDecoder {
  #dynamic: (readonly [string, string])[] = [];
  #limit = 4096;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** `name, value, …` of a whole block, octets as latin1; undefined: it cannot be read. */
  decode(block: Buffer): readonly string[] | undefined {
    this.#bytes = block;
    this.#at = 0;
    const fields: string[] = [];
    try {
      while (this.#at < block.length) fields.push(...this.#field());
    } catch {
      return undefined;
    }
    return fields;
  }

  /** RFC 7541 §6: by the first bits of its first octet. */
  #field(): readonly [string, string] | readonly [] {
    const first = this.#bytes.readUInt8(this.#at);
    if (first >= 128) return this.#entry(this.#integer(7));
    if (first >= 64) return this.#remember(this.#literal(6));
    if (first >= 32) return this.#resize(this.#integer(5));
    return this.#literal(4);
  }

  #literal(prefix: number): readonly [string, string] {
    const index = this.#integer(prefix);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    return [name, this.#text()];
  }

  #entry(index: number): readonly [string, string] {
    const entry = index <= STATIC.length ? STATIC[index - 1] : this.#dynamic[index - STATIC.length - 1];
    if (!entry) throw new Error(`no entry ${index}`);
    return entry;
  }

  #remember(field: readonly [string, string]): readonly [string, string] {
    this.#dynamic.unshift(field);
    this.#resize(this.#limit);
    return field;
  }

  #resize(limit: number): readonly [] {
    this.#limit = limit;
    let size = 0;
    const end = this.#dynamic.findIndex(([name, value]) => (size += name.length + value.length + 32) > limit);
    if (end >= 0) this.#dynamic = this.#dynamic.slice(0, end);
    return [];
  }

  /** RFC 7541 §5.1. */
  #integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#bytes.readUInt8(this.#at++) & most;
    if (value < most) return value;
    for (let scale = 1; ; scale *= 128) {
      const octet = this.#bytes.readUInt8(this.#at++);
      value += (octet & 127) * scale;
      if (octet < 128) return value;
    }
  }

  /** RFC 7541 §5.2. */
  #text(): string {
    const huffman = this.#bytes.readUInt8(this.#at) >= 128;
    const length = this.#integer(7);
    const octets = this.#bytes.subarray(this.#at, this.#at + length);
    if (octets.length < length) throw new Error('it ends in the middle');
    this.#at += length;
    return huffman ? unpack(octets) : octets.toString('latin1');
  }
}

function unpack(octets: Uint8Array): string {
  let [text, code] = ['', ''];
  for (const octet of octets)
    for (const bit of octet.toString(2).padStart(8, '0')) {
      code += bit;
      const symbol = HUFFMAN.get(code);
      if (symbol === undefined) continue;
      text += String.fromCharCode(symbol);
      code = '';
    }
  if (!/^1{0,7}$/.test(code)) throw new Error('padding that is none');
  return text;
}
