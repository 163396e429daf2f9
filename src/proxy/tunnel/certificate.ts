/** X.509 certificates of our own (RFC 5280): the per-sidecar authority and the leaves under it, all ECDSA P-256. */
import { createHash, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { BitString, fromBER, Integer, OctetString, Utf8String } from 'asn1js';
import ipaddr from 'ipaddr.js';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from 'pkijs';

/** When a certificate holds, in milliseconds since 1970. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

/** What both kinds of certificate need. */
interface Order {
  /** A positive number of at most 20 octets (RFC 5280 §4.1.2.2). */
  readonly serial: Uint8Array;
  readonly validity: Validity;
  readonly subjectKey: SubjectKey;
}

/** A public key, read once for all certificates about it. */
export interface SubjectKey {
  readonly info: PublicKeyInfo;
  /** RFC 5280 §4.2.1.2, method 1: SHA-1 of the key's bits. An identifier: nothing rests on it. */
  readonly id: Uint8Array;
}

/** Who signs. */
export interface Issuer {
  readonly name: RelativeDistinguishedNames;
  readonly key: SubjectKey;
  readonly privateKey: KeyObject;
}

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;

/** RFC 5280 §4.2.1.3: the first bits, from the left of the first octet. */
const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;
/** A sequence of no names (RFC 5280 §4.1.2.4); the library would write one empty set, which Chromium refuses. */
const EMPTY_NAME = Uint8Array.of(0x30, 0).buffer;
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** The name of an authority; its common name tells sidecars apart in a list of trusted ones. */
export function authorityName(commonName: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: commonName });
  return new RelativeDistinguishedNames({
    typesAndValues: [new AttributeTypeAndValue({ type: OID.commonName, value })],
  });
}

/** The subject of a certificate (DER), as its leaves must name it. */
export function subjectOf(der: Uint8Array): RelativeDistinguishedNames {
  return new Certificate({ schema: fromBER(exactBuffer(der)).result }).subject;
}

/** A public key as it stands in certificates. */
export function subjectKey(publicKey: KeyObject): SubjectKey {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const info = new PublicKeyInfo({ schema: fromBER(exactBuffer(der)).result });
  const bits = info.subjectPublicKey.valueBlock.valueHexView;
  return { info, id: createHash('sha1').update(bits).digest() };
}

/** A self-signed authority that may sign leaves and no further authority, as DER. */
export function authorityCertificate(order: Order, issuer: Issuer): Uint8Array {
  return issue({ ...order, subject: issuer.name }, issuer, [
    extension(OID.basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(OID.keyUsage, true, keyUsage(KEY_USAGE.keyCertSign | KEY_USAGE.crlSign)),
    extension(OID.subjectKeyIdentifier, false, octets(issuer.key.id)),
  ]);
}

/** A server's certificate for one host (lower-case name, or IP literal without brackets), as DER. */
export function leafCertificate(order: Order & { readonly host: string }, issuer: Issuer): Uint8Array {
  const subject = new RelativeDistinguishedNames({ valueBeforeDecode: EMPTY_NAME }); // the extension alone has a name
  const names = new GeneralNames({ names: [subjectAltName(order.host)] });
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: octets(issuer.key.id) });
  return issue({ ...order, subject }, issuer, [
    extension(OID.basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(OID.keyUsage, true, keyUsage(KEY_USAGE.digitalSignature)),
    extension(OID.extKeyUsage, false, new ExtKeyUsage({ keyPurposes: [OID.serverAuth] })),
    extension(OID.subjectAltName, true, names), // critical, since the subject is empty (RFC 5280 §4.2.1.6)
    extension(OID.subjectKeyIdentifier, false, octets(order.subjectKey.id)),
    extension(OID.authorityKeyIdentifier, false, authority),
  ]);
}

/** DER as PEM (RFC 7468). */
export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function issue(
  order: Order & { readonly subject: RelativeDistinguishedNames },
  issuer: Issuer,
  extensions: Extension[],
): Uint8Array {
  const algorithm = new AlgorithmIdentifier({ algorithmId: OID.ecdsaWithSha256 });
  const certificate = new Certificate({
    version: 2, // which is 3 (RFC 5280 §4.1.2.1)
    serialNumber: new Integer({ valueHex: exactBuffer(order.serial) }),
    signature: algorithm,
    signatureAlgorithm: algorithm,
    issuer: issuer.name,
    subject: order.subject,
    notBefore: timeOf(order.validity.from),
    notAfter: timeOf(order.validity.until),
    subjectPublicKeyInfo: order.subjectKey.info,
    extensions,
  });
  const signed = Buffer.from(certificate.encodeTBS().toBER());
  const signature = sign('sha256', signed, issuer.privateKey);
  const rest = [algorithm.toSchema(), new BitString({ valueHex: exactBuffer(signature) })];
  return sequence(Buffer.concat([signed, ...rest.map((part) => new Uint8Array(part.toBER()))]));
}

/** What was signed, as it is: the library would parse it and write it anew, which takes as long as all the rest. */
function sequence(content: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const digits = length.subarray(length.findIndex((byte) => byte > 0));
  const short = content.length < 0x80;
  return Buffer.concat([Uint8Array.of(0x30, ...(short ? [] : [0x80 | digits.length]), ...digits), content]);
}

function extension(extnID: string, critical: boolean, value: Encodable): Extension {
  const encoded = 'toSchema' in value ? value.toSchema() : value;
  return new Extension({ extnID, critical, extnValue: encoded.toBER() });
}

type Ber = { toBER(): ArrayBuffer };
type Encodable = Ber | { toSchema(): Ber };

function keyUsage(bits: number): BitString {
  const unused = 31 - Math.clz32(bits & -bits); // trailing zeros are no part of a named bit list (X.690 §11.2.2)
  return new BitString({ valueHex: Uint8Array.of(bits).buffer, unusedBits: unused });
}

function subjectAltName(host: string): GeneralName {
  if (!isIP(host)) return new GeneralName({ type: DNS_NAME, value: host });
  return new GeneralName({
    type: IP_ADDRESS,
    value: octets(Uint8Array.from(ipaddr.parse(host).toByteArray())),
  });
}

/** RFC 5280 §4.1.2.5: GeneralizedTime only from 2050 on; whole seconds. */
function timeOf(milliseconds: number): Time {
  const value = new Date(Math.floor(milliseconds / 1000) * 1000);
  return new Time({ type: value.getUTCFullYear() < 2050 ? 0 : 1, value });
}

function octets(bytes: Uint8Array): OctetString {
  return new OctetString({ valueHex: exactBuffer(bytes) });
}

/** A buffer of its own: that of a Node `Buffer` may be a pool. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
