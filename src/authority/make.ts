/** Makes the key of an authority and lets one sidecar trust it. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { toJwk } from '../crypto/key.ts';
import { loadSigner, newKey } from '../crypto/node.ts';
import { parseAuthorities } from '../grant/authorities.ts';
import type { Authority } from '../grant/authorities.ts';
import { createFile, makeDirectory, replaceFile } from '../lineage/durable.ts';

/** Where the key and its trust go. */
export interface NewAuthority {
  /** The private JWK; must not be there yet. */
  readonly keyFile: string;
  /** `authorities.json` of the sidecar that shall trust it; other authorities in it stay. */
  readonly anchors: string;
  /** The issuer's URI. */
  readonly iss: string;
}

/** The key first, its trust second: a crash between them leaves a key that nobody believes. Throws what the disk throws. */
export function makeAuthority({ keyFile, anchors, iss }: NewAuthority): Authority {
  const before = isThere(anchors) ? trustedIn(anchors) : [];
  const jwk = newKey();
  const { key } = loadSigner(jwk);
  makeDirectory(dirname(keyFile));
  createFile(keyFile, `${JSON.stringify(jwk)}\n`);
  replaceFile(anchors, authoritiesText([...before, { iss, key }]));
  return { iss, key };
}

/** The pairs that are trusted already. Throws where the file is no list. */
function trustedIn(anchors: string): readonly Authority[] {
  const list = parseAuthorities(readFileSync(anchors, 'utf8'));
  if (!list.ok) throw new Error(`${anchors}: ${list.fault}`);
  return list.authorities;
}

function authoritiesText(pairs: readonly Authority[]): string {
  const authorities = pairs.map(({ iss, key }) => ({ iss, jwk: toJwk(key) }));
  return `${JSON.stringify({ authorities }, null, 2)}\n`;
}
