/** Grants for the bench, signed with the key of the home under test. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { v7 } from 'uuid';
import { loadSigner } from '../../src/crypto/node.ts';
import type { PrivateJwk } from '../../src/crypto/node.ts';
import { issueGrant } from '../../src/grant/issue.ts';

/** Signs so many different grants for one agent, all methods of one origin. */
export function signGrants(home: string, origin: string, count: number): readonly string[] {
  const signer = loadSigner(JSON.parse(readFileSync(join(home, 'keys/authority.jwk'), 'utf8')) as PrivateJwk);
  const { origin: aud } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as { origin: string };
  return Array.from({ length: count }, () => {
    const issued = issueGrant(
      signer,
      {
        iss: 'urn:writ:authority:dev',
        sub: 'agent:bench',
        aud,
        seconds: 3600,
        authorization_details: [{ type: 'writ_http', locations: [origin], actions: ['GET', 'DELETE'] }],
      },
      { now: Date.now(), jti: v7() },
    );
    if (!issued.ok) throw new Error(issued.detail);
    return issued.value.token;
  });
}
