/** The admin listener of a sidecar: what it shows, and where. */
import type { Hono } from 'hono';
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import type { Metrics } from '../console/metrics.ts';
import type { OperatorParts } from '../console/operator.ts';
import type { Readiness } from '../console/readiness.ts';
import { startConsole } from '../console/server.ts';
import type { ConsoleServer } from '../console/server.ts';
import type { LogIdentity } from '../lineage/identity.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { ServedLog } from '../lineage/tiles-served.ts';
import { formatTrust } from '../receipt/trust-file.ts';
import { PortUnavailable } from './doors.ts';
import { readText } from './reload.ts';

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
}

/** Opens it; undefined where the settings turn it off. Rejects with `PortUnavailable`. */
export async function openAdmin(parts: AdminParts): Promise<ConsoleServer | undefined> {
  const { settings, log, identity } = parts;
  const at = settings.listen.admin;
  if (!at) return undefined;
  try {
    return await startConsole(
      {
        ...parts,
        trustFile: () => formatTrust(identity.receiptKey, identity.logKey),
        token: () => readText(settings.admin.token_file)?.trim(),
        hosts: settings.admin.hosts,
        onFault: (fault) => log.error('the admin listener failed', { fault: String(fault) }),
      },
      at,
    );
  } catch (cause) {
    throw new PortUnavailable('admin', at, cause);
  }
}
