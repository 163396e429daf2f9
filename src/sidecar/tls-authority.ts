/** The certificate authority of a home: made once, readable by the sidecar alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { replaceFile } from '../lineage/durable.ts';
import { layoutOf } from '../lineage/layout.ts';
import { CertificateAuthority, makeCertificateAuthority } from '../proxy/tunnel/certificate-authority.ts';

/** The home has no certificate authority that can be used. The message says what to do. */
export class TlsAuthorityFault extends Error {
  override readonly name = 'TlsAuthorityFault';
}

/** Where it lies. */
export function tlsAuthorityPaths(home: string): { readonly key: string; readonly certificate: string } {
  const { keys } = layoutOf(home);
  return { key: join(keys, 'ca.key.pem'), certificate: join(keys, 'ca.pem') };
}

/** Makes it where there is none. A key without a certificate was never used, and is made anew. */
export function ensureTlsAuthority(home: string, wall: number): void {
  const paths = tlsAuthorityPaths(home);
  if (isThere(paths.certificate)) return;
  const { key, certificate } = makeCertificateAuthority(wall);
  replaceFile(paths.key, key);
  replaceFile(paths.certificate, certificate);
}

/** Reads it. Throws `TlsAuthorityFault`. */
export function readTlsAuthority(home: string, wall: () => number): CertificateAuthority {
  const paths = tlsAuthorityPaths(home);
  try {
    const read = (path: string): string => readFileSync(path, 'utf8');
    return new CertificateAuthority({ key: read(paths.key), certificate: read(paths.certificate) }, wall);
  } catch (cause) {
    throw new TlsAuthorityFault(
      `The certificate authority ${paths.certificate} with its key cannot be used (${String(cause)}). ` +
        'Restore both, or remove both and run `writ init`, which makes a new one that agents must be told to trust.',
      { cause },
    );
  }
}
