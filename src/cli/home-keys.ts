/** What the commands read of a home's keys and anchors. */
import { join } from 'node:path';
import { readText } from '../config/read-text.ts';
import { loadSigner } from '../crypto/node.ts';
import type { PrivateJwk, Signer } from '../crypto/node.ts';
import { Authorities } from '../grant/authorities.ts';
import { layoutOf } from '../lineage/layout.ts';
import { unable } from './exit.ts';
import type { LoadedSettings } from './settings-flags.ts';

/** Where a home keeps the key that signs grants, if it has one. */
export function authorityKeyFile(home: string): string {
  return join(layoutOf(home).keys, 'authority.jwk');
}

/** The signer of a private JWK file; a command failure, which tells nothing of what the file holds, where it is none. */
export function readPrivateKey(file: string): Signer {
  const text = readText(file);
  if (text === undefined)
    throw unable(`${file} cannot be read`, 'It must be a file that this user may read.');
  try {
    return loadSigner(JSON.parse(text) as PrivateJwk); // loadSigner checks it
  } catch {
    throw unable(`${file} is not an Ed25519 private key as JWK`, 'Restore it, or make a new one.');
  }
}

/** The authorities of a home; a command failure where the file is not good. */
export function readHomeAuthorities(file: string): Authorities {
  const authorities = new Authorities();
  const fault = authorities.load(readText(file));
  if (fault !== undefined) throw unable(`${file}: ${fault}`);
  return authorities;
}

/** The audience that grants for this home name: the setting, or the log's origin, which its checkpoint begins with. */
export function homeAudience(settings: LoadedSettings['settings']): string {
  if (settings.grant.audience !== null) return settings.grant.audience;
  const { checkpoint } = layoutOf(settings.home);
  const origin = readText(checkpoint)?.split('\n', 1)[0];
  if (!origin)
    throw unable(`${checkpoint} cannot be read, so the audience is not known`, 'Name it with --aud.');
  return origin;
}
