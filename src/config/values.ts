/** What a single setting may be: each reader takes text or numbers as they stand in a file and gives a strict value. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import { fromBase64 } from '../crypto/base64.ts';
import { loadPublicKey } from '../crypto/key.ts';
import { sha256Hex } from '../crypto/node.ts';

/** Where a listener binds. Port 0: any free one. */
export interface Endpoint {
  /** IP literal without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Addresses that policy may reach although they are private: exactly this range and port. */
export interface AllowedAddress {
  /** IP literal without brackets. */
  readonly address: string;
  /** Prefix length in bits; the full length where a single address was given. */
  readonly bits: number;
  readonly port: number;
}

/** A witness of the log. */
export interface WitnessAddress {
  readonly vkey: string;
  /** Thumbprint (RFC 7638) of its key. */
  readonly key: string;
  /** Its submission prefix. */
  readonly url: string;
}

/** A whole number from `least`; plain digits, no unit: the unit is in the setting's name. */
export const whole = (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  z
    .int(`must be a whole number from ${least} to ${most}, without a unit`)
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`);

/** `address:port`, a bare port (on 127.0.0.1), or `off` (null). */
export const endpoint = z
  .union([z.string(), z.int().min(0).max(65535)], 'must be address:port, a port, or off')
  .transform((given, context): Endpoint | null => {
    const text = String(given);
    if (text === 'off') return null;
    const split = /^\d+$/.test(text) ? (['127.0.0.1', text] as const) : splitAddress(text);
    const port = split && portOf(split[1], 0);
    if (split && port !== undefined && isIP(split[0])) return { host: split[0], port };
    return fault(
      context,
      'must be address:port (an IP address, such as 127.0.0.1:3128 or [::1]:3128), a port, or off',
    );
  });

/** Without brackets or a prefix length, the end of an IPv6 address could be its port. */
const ALLOWED = [
  /^(?<address>[0-9.]+)(\/(?<prefix>\d{1,3}))?:(?<port>\d+)$/,
  /^\[(?<address>[0-9a-f:.]+)(\/(?<prefix>\d{1,3}))?\]:(?<port>\d+)$/i,
  /^(?<address>[0-9a-f:.]+)\/(?<prefix>\d{1,3}):(?<port>\d+)$/i,
];

/** `address:port` or `cidr:port`; `10.1.2.3/16` is more likely a slip than a wish. */
export const allowedAddress = z
  .string('must be address:port or cidr:port')
  .transform((text, context): AllowedAddress => {
    const parts = ALLOWED.map((shape) => shape.exec(text)?.groups).find(Boolean);
    const { address = '', prefix, port: digits = '' } = parts ?? {};
    const full = isIP(address) === 6 ? 128 : 32;
    const bits = prefix === undefined ? full : Number(prefix);
    const port = portOf(digits, 1);
    const fits = port !== undefined && isIP(address) && bits <= full;
    if (fits && isNetwork(address, bits)) return { address, bits, port };
    if (fits)
      return fault(context, `has bits beyond its prefix of ${bits}: name a whole range or one address`);
    return fault(
      context,
      'must be address:port or cidr:port, such as 10.0.0.7:443, 10.0.0.0/24:443 or [fd00::1]:443',
    );
  });

/** An origin: scheme, host and port, nothing else; canonical spelling. */
export const origin = z.string('must be an origin').transform((text, context): string => {
  const url = URL.parse(text);
  const known = url?.protocol === 'http:' || url?.protocol === 'https:';
  const plain = url && (url.origin === text || `${url.origin}/` === text) && isPlainHost(url.hostname);
  if (known && plain) return url.origin;
  return fault(
    context,
    'must be an origin such as https://api.example.com, in lower case and without a path',
  );
});

/** What upstreams are spoken to with. */
export const http = z.enum(['auto', 'h1', 'h2'], 'must be auto, h1 or h2');

/** An origin in the clear. */
export const httpOrigin = origin.refine(
  (text) => text.startsWith('http://'),
  'must begin with http:// (what goes through it is TLS of its own)',
);

/** `name` or `name:port` as an agent would call it. */
export const hostName = z.string('must be a host name').refine((text) => {
  const [, name = '', port] = /^(.+?)(?::([1-9]\d{0,4}))?$/.exec(text) ?? [];
  return isPlainHost(name) && (port === undefined || portOf(port, 1) !== undefined);
}, 'must be a host name in lower case, with or without a port');

/** A host without a port, or `.domain` for all names below it. */
export const unproxiedHost = z
  .string('must be a host name')
  .refine(
    (text) => isPlainHost(text.replace(/^\./, '')) && !(text.startsWith('.') && isIP(text.slice(1))),
    'must be a host name or address in lower case, or .domain, without a port',
  );

/** Segments that need no encoding, at least one character each, none of them dots only. */
export const pathPrefix = z
  .string('must be a path')
  .regex(
    /^\/((?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*)?$/,
    'must be a path without a final slash, such as /github',
  );

/** RFC 1123 §2.1: letters, digits and inner hyphens, at most 63 a label. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MAX_NAME = 253;

/** A lower-case name or a canonical address (IPv6 in brackets), as WHATWG spells it. */
function isPlainHost(text: string): boolean {
  const canonical = URL.parse(`http://${text}/`)?.hostname === text;
  const address = isIP(text.replace(/^\[|\]$/g, '')) !== 0;
  return canonical && (address || (text.length <= MAX_NAME && NAME.test(text)));
}

/** The name in a log's origin (C2SP checkpoint: without white space or `+`). */
export const logName = z
  .string('must be a name')
  .regex(
    /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
    'must be letters, digits, . _ - and /, such as pods.example.com/agent-7',
  )
  .max(128, 'must be at most 128 characters');

/** `<vkey> <url>`: whom to ask for cosignatures (c2sp.org/signed-note, c2sp.org/tlog-witness). */
export const witnessAddress = z
  .string('must be a verifier key and a URL')
  .transform((text, context): WitnessAddress => {
    const [vkey = '', address = '', ...rest] = text.split(/ +/);
    const url = plainAddress(address);
    const key = witnessKey(vkey);
    if (rest.length === 0 && url && key) return { vkey, key, url: url.href };
    return fault(
      context,
      'must be the verifier key of a witness (`writ witness key`) and its URL, such as w.example/1+2c4f98fc+BN3l… https://w.example/',
    );
  });

/** Where somebody is asked over HTTP. */
export const webAddress = z
  .string('must be a URL')
  .transform(
    (text, context): string =>
      plainAddress(text)?.href ??
      fault(context, 'must be an http:// or https:// URL without user, query or fragment'),
  );

/** Dotted numbers (X.660). */
export const OBJECT_IDENTIFIER = /^([01]\.[1-3]?\d|2\.(0|[1-9]\d*))(\.(0|[1-9]\d*))*$/;

/** What names a policy. */
export const objectIdentifier = z
  .string('must be an object identifier')
  .regex(OBJECT_IDENTIFIER, 'must be an object identifier, such as 1.2.3.4.1');

/** Without roots nothing that an authority says can be checked. */
export function checkTimestamp(
  { url, roots }: { readonly url: string | null; readonly roots: string | null },
  context: z.RefinementCtx,
): void {
  if (url !== null && roots === null)
    context.addIssue({ code: 'custom', path: ['roots'], message: 'must be named where timestamp.url is' });
}

function plainAddress(text: string): URL | undefined {
  const url = URL.parse(text);
  const http = url?.protocol === 'https:' || url?.protocol === 'http:';
  return http && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
    ? url
    : undefined;
}

/** A quorum that can be reached, of witnesses that can be told apart; a halt after the next question. */
export function checkWitnesses(
  { list, quorum, interval_seconds, halt_after_seconds }: WitnessSettings,
  context: z.RefinementCtx,
): void {
  const refuse = (name: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [name], message });
  if (new Set(list.map(({ key }) => key)).size < list.length) refuse('list', 'names one key twice');
  const names = new Set(list.map(({ vkey }) => vkey.split('+', 1)[0]));
  if (names.size < list.length) refuse('list', 'has one name twice');
  if (list.length > 0 && quorum > list.length)
    refuse('quorum', `must be at most ${list.length}, as many as are listed`);
  if (halt_after_seconds > 0 && halt_after_seconds <= interval_seconds)
    refuse('halt_after_seconds', 'must be longer than the interval');
}

interface WitnessSettings {
  readonly list: readonly WitnessAddress[];
  readonly quorum: number;
  readonly interval_seconds: number;
  readonly halt_after_seconds: number;
}

const WITNESS_TYPE = 0x04;

/** The thumbprint of the key; undefined where the text is not a witness's verifier key, or its id is wrong. */
function witnessKey(vkey: string): string | undefined {
  const [, name = '', id, encoded = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(vkey) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes?.[0] !== WITNESS_TYPE) return undefined;
  const digest = sha256Hex(Buffer.concat([Buffer.from(`${name}\n`), bytes]));
  return digest.startsWith(id ?? '-') ? loadPublicKey(bytes.subarray(1))?.id : undefined;
}

/** A file or folder. Relative ones are relative to the settings file, or to the working folder in flags and env. */
export const path = z
  .string('must be a path')
  .min(1, 'must not be empty')
  .refine((text) => !text.includes('\0'), 'must not contain NUL');

const certificatePlace = z.strictObject({ host: hostName, certificate_file: path, key_file: path });

/** Client certificates, one for each `host:port`. */
export const certificatePlaces = z
  .array(certificatePlace, 'must be a list of client certificates')
  .superRefine((all, context) => {
    const places = all.map(({ host }) => (/:\d+$/.test(host) ? host : `${host}:443`));
    places.forEach((place, i) => {
      if (places.indexOf(place) < i)
        context.addIssue({ code: 'custom', path: [i], message: `is a second certificate for ${place}` });
    });
  });

function splitAddress(text: string): readonly [string, string] | undefined {
  const found = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([^:[\]]+):(\d+)$/.exec(text);
  return found?.[1] === undefined || found[2] === undefined ? undefined : [found[1], found[2]];
}

function isNetwork(address: string, bits: number): boolean {
  const bytes = ipaddr.parse(address).toByteArray();
  return bytes.every((byte, i) => (byte & (0xff >> Math.min(8, Math.max(0, bits - 8 * i)))) === 0);
}

function portOf(digits: string, least: number): number | undefined {
  const port = /^(0|[1-9]\d{0,4})$/.test(digits) ? Number(digits) : -1;
  return port >= least && port <= 65535 ? port : undefined;
}

function fault(context: z.RefinementCtx, message: string): typeof z.NEVER {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
