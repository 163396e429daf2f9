/** The admin listener of a sidecar: what it shows, and where. */
import type { Hono } from 'hono';
import type { Credential } from '../call/call.ts';
import type { Log } from '../config/log.ts';
import { readText } from '../config/read-text.ts';
import type { Settings } from '../config/schema.ts';
import { holdsToken } from '../console/door.ts';
import type { Metrics } from '../console/metrics.ts';
import type { OperatorParts } from '../console/operator.ts';
import type { Readiness } from '../console/readiness.ts';
import { startConsole } from '../console/server.ts';
import type { ConsoleServer } from '../console/server.ts';
import type { LogIdentity } from '../lineage/identity.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { ServedLog } from '../lineage/tiles/served.ts';
import { formatTrust } from '../receipt/trust-file.ts';
import { PortUnavailable } from './listeners.ts';
import { verifiersWitnesses } from './witnessing.ts';

/** What the listener is made of. */
export interface AdminParts extends Pick<OperatorParts, 'status' | 'reload'> {
  readonly settings: Settings;
  readonly log: Log;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly lineage: Lineage;
  readonly served: ServedLog;
  readonly identity: LogIdentity;
  readonly authority: Hono | undefined;
  /** The gate's memory of what it refused. */
  readonly denial: (id: string, asker: 'operator' | Credential) => string | undefined;
  readonly certificateAuthority: string;
}

/** Opens it; undefined where the settings turn it off. Rejects with `PortUnavailable`. */
export async function openAdmin(parts: AdminParts): Promise<ConsoleServer | undefined> {
  const { settings, log, identity } = parts;
  const at = settings.listen.admin;
  if (!at) return undefined;
  const token = (): string | undefined => readText(settings.admin.token_file)?.trim();
  try {
    return await startConsole(
      {
        ...parts,
        trustFile: () => formatTrust(identity.receiptKey, identity.logKey, verifiersWitnesses(settings)),
        token,
        denial: (id, headers) => findDenial(parts, { id, headers, token: token() }),
        hosts: settings.admin.hosts,
        onFault: (fault) => log.error('the admin listener failed', { fault: String(fault) }),
      },
      at,
    );
  } catch (cause) {
    throw new PortUnavailable('admin', at, cause);
  }
}

interface Asked {
  readonly id: string;
  readonly headers: Headers;
  readonly token: string | undefined;
}

/** The operator may read every denial, an agent those of the grant it brings. */
function findDenial({ denial }: AdminParts, { id, headers, token }: Asked): string | undefined {
  if (holdsToken(headers.get('authorization') ?? undefined, token)) return denial(id, 'operator');
  const text = headers.get('writ-grant');
  return text === null ? undefined : denial(id, { from: 'writ-grant', text });
}
