/** What the state of the lineage log means for the sidecar: readiness, leases, and what the operator hears. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import type { Readiness } from '../console/readiness.ts';
import type { Leases } from '../gate/lease.ts';
import type { Lineage, LogCondition } from '../lineage/lineage.ts';
import type { Room, SpaceRules } from '../lineage/space.ts';

/** The levels of room, as the settings name them. */
export function spaceRules(lineage: Settings['lineage']): SpaceRules {
  const { alarm_free_bytes, permit_free_bytes, denial_free_bytes } = lineage;
  return { alarmBytes: alarm_free_bytes, permitBytes: permit_free_bytes, denialBytes: denial_free_bytes };
}

/** Who hears of the log. */
export interface LogWatchers {
  readonly lineage: Pick<Lineage, 'condition' | 'onChange' | 'onFailure'>;
  readonly readiness: Readiness;
  readonly leases: Pick<Leases, 'endWhere'>;
  readonly log: Log;
}

/** Readiness is as good as the log from here on, and rises again by itself. */
export function watchLog(watchers: LogWatchers): void {
  const { lineage, readiness, leases, log } = watchers;
  lineage.onFailure((cause) => {
    log.error('the log cannot record any more', { cause: cause.message });
    readiness.bad('log', cause.message, 'log_unavailable');
    leases.endWhere(() => true, 'log_unavailable');
  });
  let before: LogCondition = { state: 'writing', room: 'ample' };
  const follow = (now: LogCondition): void => {
    tell(log, before, now);
    before = now;
    judge(readiness, now);
  };
  follow(lineage.condition);
  lineage.onChange(follow);
}

function judge(readiness: Readiness, { state, room }: LogCondition): void {
  readiness.alarm('log_space_low', room !== 'ample');
  if (state === 'failed' || state === 'closed') return; // has been told, and is for good
  if (state === 'stalled') readiness.bad('log', 'the log does not answer in time', 'log_unavailable');
  else if (room === 'ample' || room === 'scarce') readiness.good('log');
  else readiness.bad('log', `the log’s disk is almost full (room for ${room})`, 'log_space_low');
}

function tell(log: Log, before: LogCondition, now: LogCondition): void {
  if (now.state === 'stalled' && before.state !== 'stalled') log.error('the log does not answer in time');
  if (now.state === 'writing' && before.state === 'stalled') log.info('the log answers again');
  if (now.room !== before.room) tellRoom(log, now.room);
}

function tellRoom(log: Log, room: Room): void {
  switch (room) {
    case 'ample':
      return log.info('the log has room again');
    case 'scarce':
      return log.warn('the log’s disk fills');
    case 'denials':
      return log.error('the log’s disk is almost full: every call is denied');
    case 'none':
      return log.error('the log’s disk is full: denials are only counted');
  }
}
