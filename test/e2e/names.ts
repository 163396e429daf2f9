/** Loaded before the sidecar: the machine's resolver, as these tests need it to behave. No name leaves this machine. */
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

const answers: Readonly<Record<string, readonly string[]>> = {
  'mixed.test': ['93.184.216.34', '10.0.0.1'],
  'metadata.test': ['169.254.169.254'],
};

const lookup = (name: string): Promise<readonly { address: string }[]> => {
  if (name === 'slow.test') return new Promise(() => undefined);
  const found = answers[name];
  if (!found) return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`));
  return Promise.resolve(found.map((address) => ({ address })));
};

Object.assign(dns, { lookup });
syncBuiltinESMExports();
