/** Certificates that vouch for themselves, as OpenSSL makes them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where they lie. */
export interface KeyPair {
  readonly certificate_file: string;
  readonly key_file: string;
  /** PEM. */
  readonly certificate: string;
}

/** Makes one for this common name, in a folder; one of the same name is replaced. */
export function makeKeyPair(folder: string, name: string, file = name): KeyPair {
  const [certificate_file, key_file] = [join(folder, `${file}.pem`), join(folder, `${file}.key.pem`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const output = ['-keyout', key_file, '-out', certificate_file];
  execFileSync('openssl', ['req', '-x509', ...curve, ...output, '-days', '2', '-subj', `/CN=${name}`], {
    stdio: 'ignore',
  });
  return { certificate_file, key_file, certificate: readFileSync(certificate_file, 'utf8') };
}
