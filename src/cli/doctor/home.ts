/** What the doctor looks at in the home: modes, keys, log, authorities, policy. Nothing is opened for writing. */
import { readFileSync, statfsSync } from 'node:fs';
import { fileFault } from '../../config/file-fault.ts';
import type { Settings } from '../../config/schema.ts';
import { node } from '../../crypto/node.ts';
import { parseAuthorities } from '../../grant/authorities.ts';
import { verifyCheckpoint } from '../../lineage/checkpoint.ts';
import { readIdentity, readLogKeys } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import { findPosition } from '../../lineage/position.ts';
import { readEntry } from '../../lineage/read.ts';
import { roomIn } from '../../lineage/space.ts';
import { loadBundle } from '../../policy/bundle.ts';
import { homeState, openToOthers } from '../../sidecar/home.ts';
import { spaceRules } from '../../sidecar/log-watch.ts';
import { readUpstreamFiles } from '../../sidecar/upstream-files.ts';
import { systemFailure } from '../system-fault.ts';
import { bad, good, messageOf, warn } from './finding.ts';
import type { Finding } from './finding.ts';

const GIBIBYTE = 1024 ** 3;
const CLOCK_SKEW_MS = 1000;

/** A home that this user may not look into: of all in it nothing can be said. */
export function shutFinding(home: string): Finding | undefined {
  try {
    homeState(home);
    return undefined;
  } catch (cause) {
    const failure = systemFailure(cause);
    return bad('home', failure?.message ?? messageOf(cause), failure?.remedy ?? 'Name another with --home.');
  }
}

/** The folder itself: there, ours, closed to others. */
export function homeFinding(home: string): Finding {
  const state = homeState(home);
  if (state === 'missing') return bad('home', `${home} is not there`, '`writ init` makes it.');
  if (state === 'foreign')
    return bad('home', `${home} holds something else`, 'Name an empty folder with --home.');
  if (state === 'half-made') return bad('home', `${home} was left half made`, '`writ init` finishes it.');
  const open = openToOthers(home);
  if (!open) return good('home', home);
  const more = open.more > 0 ? ` and ${open.more} more` : '';
  return bad('home', `${open.first}${more} can be read by others`, open.remedy);
}

/** Keys, log and clock. A whole audit is `writ lineage verify`'s business. */
export function logFindings(home: string, now: number): readonly Finding[] {
  const layout = layoutOf(home);
  try {
    const identity = readIdentity(layout);
    readLogKeys(layout, identity);
    const keys = good('keys', `log and receipt key belong to ${identity.origin}`);
    const head = verifyCheckpoint(node, readFileSync(layout.checkpoint, 'utf8'), [identity.logKey]);
    if (!head)
      return [
        keys,
        bad(
          'log',
          'the checkpoint file does not verify',
          'Keep the folder as evidence; see `writ lineage verify`.',
        ),
      ];
    const last = findPosition(readEntry(layout.segments, head.size - 1) ?? new Uint8Array(0));
    if (!last)
      return [
        keys,
        bad(
          'log',
          `entry ${head.size - 1}, which the checkpoint vouches for, is not there`,
          'Restore the log; see `writ lineage verify`.',
        ),
      ];
    return [
      keys,
      good('log', `at least ${head.size} entries, signed head verifies`),
      clockFinding(now, Date.parse(last.at)),
    ];
  } catch (cause) {
    return [bad('log', messageOf(cause), 'The line above says what to do.')];
  }
}

function clockFinding(now: number, last: number): Finding {
  const shown = new Date(now).toISOString();
  if (now + CLOCK_SKEW_MS >= last) return good('clock', shown);
  return bad(
    'clock',
    `${shown} is before the log’s last entry (${new Date(last).toISOString()})`,
    'Set the clock: grants are judged by it.',
  );
}

/** Room for the log, by the levels at which a sidecar raises its alarm and denies calls. */
export function diskFinding({ home, lineage }: Settings): Finding {
  try {
    const { bavail, bsize } = statfsSync(home);
    const shown = `${((bavail * bsize) / GIBIBYTE).toFixed(1)} GiB free`;
    const room = roomIn(home, spaceRules(lineage));
    if (room === 'ample') return good('disk', shown);
    if (room === 'scarce')
      return warn('disk', shown, 'Make room: a log that cannot be written denies every call.');
    return bad('disk', shown, 'Make room now: until then every call is denied (`log_space_low`).');
  } catch (cause) {
    return bad('disk', messageOf(cause), 'The file system of the home must be there.');
  }
}

/** Who may sign grants. */
export function authoritiesFinding({ grant }: Settings): Finding {
  const name = 'authorities';
  const file = grant.authorities;
  try {
    const list = parseAuthorities(readFileSync(file, 'utf8'));
    if (!list.ok)
      return bad(name, `${file}: ${list.fault}`, 'Mend the file: until then every call is denied.');
    const count = list.authorities.length;
    if (count > 0) return good(name, `${count} trusted`);
    return warn(
      name,
      'nobody may sign grants yet',
      '`writ keys new authority`, or add an authority’s public key to the file.',
    );
  } catch (cause) {
    return bad(name, `${file}: ${fileFault(cause)}`, 'Until the file can be read every call is denied.');
  }
}

/** The active bundle, loaded and checked as the sidecar does it. */
export async function policyFinding({ policy }: Settings): Promise<Finding> {
  const loaded = await loadBundle(policy.bundle);
  if (!loaded.ok)
    return bad('policy', loaded.fault, '`writ policy build` makes a bundle; policy.bundle names its folder.');
  const { revision, digest } = loaded.bundle.identity;
  return good('policy', `${revision ? `revision ${revision}, ` : ''}digest ${digest.slice(0, 16)}…`);
}

/** Files that upstreams are called with; nothing where the settings name none. */
export function upstreamFindings(settings: Settings): readonly Finding[] {
  const { extra_roots, client_certificates, proxy_credentials_file } = settings.upstream;
  if (extra_roots === null && client_certificates.length === 0 && proxy_credentials_file === null) return [];
  const read = readUpstreamFiles(settings);
  if (read.ok) return [good('upstream files', 'roots, client certificates and credentials can be used')];
  return read.faults.map((fault) =>
    bad('upstream files', fault, 'Mend it: until then `writ serve` does not start.'),
  );
}
