/** Which clients did not trust the running sidecar, as it says itself. */
import { isJsonObject } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import type { AdminAnswer } from '../admin-call.ts';
import { CommandFailure } from '../exit.ts';
import { bad, good, messageOf, warn } from './finding.ts';
import type { Finding } from './finding.ts';

const NAME = 'clients';

/** One finding for each host, by what the sidecar answered about its status; none where none runs. */
export async function clientFindings(asked: Promise<AdminAnswer | undefined>): Promise<readonly Finding[]> {
  try {
    const answer = await asked;
    if (answer?.status !== 200) return [];
    const { distrusted } = answer.body;
    const found = (Array.isArray(distrusted) ? distrusted : []).flatMap(distrustFinding);
    return found.length > 0
      ? found
      : [good(NAME, 'none was seen that does not trust this sidecar’s authority')];
  } catch (cause) {
    const remedy = cause instanceof CommandFailure ? cause.remedy : undefined;
    return [bad(NAME, messageOf(cause), remedy ?? 'See the sidecar’s log.')];
  }
}

function distrustFinding(given: Json): readonly Finding[] {
  if (!isJsonObject(given) || given['cause'] === 'failed') return [];
  const { host, cause, client, tell, count } = given;
  const how = cause === 'untrusted' ? 'does not trust' : 'closed its TLS before a request, and may not trust';
  return [
    warn(
      NAME,
      `${String(client)} ${how} this sidecar’s authority (${String(host)}, ${count === 1 ? 'once' : `${String(count)} times`})`,
      `\`writ trust ca --output ca.pem\`, and tell it in ${String(tell)}; docs/clients.md has every client.`,
    ),
  ];
}
