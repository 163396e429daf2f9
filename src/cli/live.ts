/** The live list of `writ dev`: one line a decision, one more where a call did not end well. */
import type { Decided, Finished, Handshake, Observer } from '../gate/observer.ts';
import { safeText } from '../config/safe-text.ts';
import { out } from './screen.ts';

const PATH_SHOWN = 48;

/** Prints calls as they come, once `begin` was called: before that the screen belongs to the welcome. */
export class LiveList implements Partial<Observer> {
  #begun = false;

  begin(): void {
    this.#begun = true;
  }

  decided({ verdict, method, host, path, code, reasons, seq, ms, detail }: Decided): void {
    if (!this.#begun) return;
    const mark = verdict === 'permit' ? out.paint('good', 'permit') : out.paint('bad', 'deny  ');
    const what = `${safeText(method).padEnd(7)} ${safeText(host ?? '(unreadable target)')}${safeText(path ?? '').slice(0, PATH_SHOWN)}`;
    const why = code ? `${code}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}` : '';
    const where = seq === undefined ? 'not recorded' : `entry ${seq}`;
    out.line(
      `${timeOfDay()}  ${mark}  ${what}  ${why && `${out.paint('warn', why)}  `}${out.paint('dim', `${where}, ${ms.toFixed(1)} ms`)}`,
    );
    if (detail && verdict === 'deny')
      out.line(`                  ${out.paint('dim', detail.split('\n', 1)[0] ?? '')}`);
  }

  finished({ ended, by, permit }: Finished): void {
    if (!this.#begun || ended === 'complete') return;
    out.line(
      `${timeOfDay()}  ${out.paint('warn', 'ended ')}  entry ${permit}: ${ended}${by ? ` (${by})` : ''}`,
    );
  }

  handshake({ host, cause }: Handshake): void {
    if (this.#begun && cause !== 'unused')
      out.line(`${timeOfDay()}  ${out.paint('warn', 'tls   ')}  ${safeText(host)}: ${cause}`);
  }

  malformed({ status, why }: { readonly status: number; readonly why: string }): void {
    if (this.#begun)
      out.line(`${timeOfDay()}  ${out.paint('warn', String(status).padEnd(6))}  not HTTP: ${safeText(why)}`);
  }
}

function timeOfDay(): string {
  return out.paint('dim', new Date().toTimeString().slice(0, 'hh:mm:ss'.length));
}
