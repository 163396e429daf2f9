/** Which kind of client does not trust this sidecar, and how that kind is told (docs/clients.md). */
import type { Handshake } from '../gate/observer.ts';

/** A kind of client. */
export interface ClientKind {
  readonly client: string;
  /** Where it looks for the authority's certificate. */
  readonly tell: string;
}

interface Row extends ClientKind {
  /** What its CONNECT says of itself: the agent's own words, which are compared and never repeated. */
  readonly says: RegExp;
}

const GO: ClientKind = { client: 'Go', tell: 'SSL_CERT_FILE=ca.pem' };
const JAVA: ClientKind = { client: 'Java', tell: 'a trust store (keytool -importcert) in JAVA_TOOL_OPTIONS' };
const NODE: ClientKind = { client: 'Node', tell: 'NODE_EXTRA_CA_CERTS=ca.pem' };

const ROWS: readonly Row[] = [
  { says: /^curl\//, client: 'curl', tell: 'CURL_CA_BUNDLE=ca.pem' },
  { says: /^git\//, client: 'git', tell: 'GIT_SSL_CAINFO=ca.pem' },
  { says: /^wget\//i, client: 'wget', tell: '--ca-certificate=ca.pem, or ca_certificate in its WGETRC' },
  { says: /^pip\//, client: 'pip', tell: 'PIP_CERT=ca.pem' },
  { says: /^(npm|pnpm|yarn)\//, client: 'npm', tell: 'npm_config_cafile=ca.pem' },
  { says: /^python-requests\//, client: 'Python requests', tell: 'REQUESTS_CA_BUNDLE=ca.pem' },
  { says: /^grpc-/, client: 'gRPC', tell: 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=ca.pem' },
  { says: /python/i, client: 'Python', tell: 'SSL_CERT_FILE=ca.pem (requests: REQUESTS_CA_BUNDLE)' },
  { says: /^Go-http-client\//, ...GO },
  { says: /^Java/, ...JAVA },
  { says: /Chrom(e|ium)\//, client: 'Chromium', tell: 'certutil, into the NSS database of its user' },
  { says: /^(node|undici)/i, ...NODE },
];

/** RFC 8446 §6.2: libraries differ in what they say when they do not know who signed. */
const ALERTS: readonly (readonly [RegExp, ClientKind])[] = [
  [
    /UNKNOWN_CA$/,
    {
      client: 'a client with OpenSSL (Python, curl, git, Ruby)',
      tell: 'SSL_CERT_FILE=ca.pem (requests: REQUESTS_CA_BUNDLE, curl: CURL_CA_BUNDLE, git: GIT_SSL_CAINFO)',
    },
  ],
  [/BAD_CERTIFICATE$/, GO],
  [/CERTIFICATE_UNKNOWN$/, { client: 'Java or Chromium', tell: `${JAVA.tell}; Chromium: certutil` }],
];

const UNKNOWN: ClientKind = { client: 'an agent', tell: 'the variable of its kind' };

/** The kind that a handshake tells of: by what its CONNECT said, else by how it ended. */
export function clientKind({ client = '', cause, detail }: Handshake): ClientKind {
  const said = ROWS.find(({ says }) => says.test(client));
  if (said) return { client: said.client, tell: said.tell };
  if (cause === 'unused') return client === '' ? NODE : UNKNOWN; // it closes without an alert, and does not name itself
  return ALERTS.find(([alert]) => alert.test(detail))?.[1] ?? UNKNOWN;
}
