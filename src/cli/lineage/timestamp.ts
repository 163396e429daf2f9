/** `writ lineage timestamp`. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { encodeUtf8 } from '../../crypto/bytes.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import { readVouched } from '../../lineage/replay.ts';
import { keepTimestamp } from '../../lineage/timestamp/client.ts';
import { fetchTimestamp } from '../../sidecar/timestamp-post.ts';
import { CommandFailure, EXIT, usageFailure } from '../exit.ts';
import { out } from '../screen.ts';
import { addHomeFlags, requireSettings } from '../settings-flags.ts';
import { policyIn, TSA_ROOTS_FLAG } from '../timestamp-flags.ts';

/** Adds the command. */
export function registerTimestamp(lineage: Command): void {
  addHomeFlags(
    lineage
      .command('timestamp')
      .description('Have the log’s checkpoint timestamped now (RFC 3161), and keep what the authority says.'),
  )
    .option('--url <url>', 'the authority (default: timestamp.url of the settings)')
    .option('--tsa-roots <file>', `${TSA_ROOTS_FLAG} (default: timestamp.roots)`)
    .option(
      '--tsa-policy <oid>',
      'object identifier of the policy to ask for (default: timestamp.policy_oid)',
    )
    .option('--json', 'as JSON')
    .action((options: TimestampOptions, command: Command) => timestampNow(options, command));
}

interface TimestampOptions {
  readonly url?: string;
  readonly tsaRoots?: string;
  readonly tsaPolicy?: string;
  readonly json?: boolean;
}

/** Takes the checkpoint file, not the log's lock: a sidecar may run, and keep timestamps of its own beside this one. */
async function timestampNow(options: TimestampOptions, command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const url = options.url ?? settings.timestamp.url;
  const roots = options.tsaRoots ?? settings.timestamp.roots;
  if (url === null || roots === null || !URL.canParse(url))
    throw usageFailure(
      'whom to ask, and whom to believe?',
      'Name --url and --tsa-roots, or timestamp.url and timestamp.roots in the settings.',
    );
  const layout = layoutOf(settings.home);
  const { note, size, origin } = readVouched(layout, readIdentity(layout).logKey);
  const { tsaPolicy } = options;
  const policy = tsaPolicy === undefined ? settings.timestamp.policy_oid : policyIn(tsaPolicy);
  const timeoutMs = settings.timestamp.timeout_ms;
  const answer = await fetchTimestamp(encodeUtf8(note), { url, roots, policy, timeoutMs });
  if (!answer.ok) throw new CommandFailure(EXIT.unable, `${answer.code}: ${answer.detail}`);
  await keepTimestamp(layout.timestamps, { size, note }, answer.response);
  const files = ['checkpoint', 'tsr'].map((end) => join(layout.timestamps, `${size}.${end}`));
  const { before, by } = answer.value;
  if (options.json) return out.json({ origin, size, ...answer.value, files });
  out.line(`${out.paint('good', 'timestamped')}  ${out.paint('strong', origin)}`);
  out.line();
  out.fields([
    ['entries', String(size)],
    ['existed', `before ${new Date(before).toISOString()}`],
    ['according to', by],
    ['policy', answer.value.policy],
    ['kept', files.join(', ')],
  ]);
}
