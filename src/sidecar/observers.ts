/** Those who watch the gate, joined: metrics, the operator's log, the live list of `writ dev`. */
import type { Log } from '../config/log.ts';
import type { Decided, Finished, Observer } from '../gate/observer.ts';

/** One observer that tells all of them what they listen to. One that throws is named in the log, and changes nothing for call or others. */
export function joinObservers(all: readonly Partial<Observer>[], log: Log): Observer {
  const tell = (what: (observer: Partial<Observer>) => void): void => {
    for (const observer of all) {
      try {
        what(observer);
      } catch (cause) {
        log.error('an observer failed', { cause: String(cause) });
      }
    }
  };
  return {
    decided: (event) => tell((observer) => observer.decided?.(event)),
    finished: (event) => tell((observer) => observer.finished?.(event)),
    tunnelled: (event) => tell((observer) => observer.tunnelled?.(event)),
    handshake: (event) => tell((observer) => observer.handshake?.(event)),
    malformed: (event) => tell((observer) => observer.malformed?.(event)),
    shed: (event) => tell((observer) => observer.shed?.(event)),
    aggregated: (code) => tell((observer) => observer.aggregated?.(code)),
  };
}

/**
 * Writes recorded denials and broken calls to the operator's log. At debug level only: permits, and what anybody could
 * fill a disk with, denials that were only counted and bytes that are not HTTP. `Distrust` tells of handshakes.
 */
export function logObserver(log: Log): Omit<Observer, 'handshake' | 'aggregated'> {
  return {
    decided: (event) => logDecision(log, event),
    finished: (event) => logEnd(log, event),
    tunnelled: ({ id, host, port, seq }) => log.debug('tunnel opened', { id, host, port, seq }),
    malformed: ({ carrier, status, why }) => log.debug('bytes that are not HTTP', { carrier, status, why }),
    shed: ({ carrier, what }) => log.debug('over a limit', { carrier, what }),
  };
}

function logDecision(
  log: Log,
  { id, verdict, code, method, host, path, detail, seq, reasons }: Decided,
): void {
  const what = { id, method, host, path, seq };
  if (verdict === 'permit') log.debug('permitted', what);
  else if (code === 'internal_error') log.error('failed to decide', { ...what, detail });
  else if (seq === undefined && code !== 'log_unavailable') log.debug('denied', { ...what, code, detail });
  else log.info('denied', { ...what, code, reasons, detail });
}

function logEnd(log: Log, { id, host, permit, ended, by, why, status, duration_ms }: Finished): void {
  const what = { id, host, permit, ended, by, why, status, duration_ms };
  if (ended === 'upstream-error') log.warn('upstream failed', what);
  else if (ended === 'cut') log.info('cut', what);
  else log.debug('ended', what);
}
