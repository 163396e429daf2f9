/** Reads a body that has to be known before its call is decided. */
import { causeText } from '../config/cause-text.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { KeepPiece } from '../gate/outside.ts';
import type { BodySource } from './agent/request-body.ts';

/** Hands each piece to `keep`, as the gate's `Exchange.readBody` has it. No trailers may follow such a body. */
export function readWhole(source: BodySource, keep: KeepPiece): Promise<Outcome<undefined>> {
  const { stream } = source;
  source.begin();
  return new Promise((resolve) => {
    let isOver = false;
    const settle = (outcome: Outcome<undefined>): void => {
      isOver = true;
      stream.off('data', take).off('end', finish).off('close', breakOff).pause();
      resolve(outcome);
    };
    const broken = (cause: unknown): void => settle(deny('internal_error', causeText(cause)));
    const take = (piece: Buffer): void => {
      try {
        heed(keep(piece));
      } catch (cause) {
        broken(cause); // nobody hears what is thrown in here
      }
    };
    const heed = (kept: ReturnType<KeepPiece>): void => {
      if (!kept) return;
      if (!(kept instanceof Promise)) return settle(kept);
      source.standStill();
      kept.then((refusal) => {
        if (refusal) settle(refusal);
        else if (!isOver) source.goOn();
      }, broken);
    };
    const finish = (): void => {
      if (source.trailers().length > 0) settle(deny('trailers_unsupported', 'trailers after the body'));
      else settle(pass(undefined));
    };
    const breakOff = (): void => settle(deny('scope_content', 'the body broke off'));
    if (stream.destroyed) breakOff();
    else stream.on('data', take).on('end', finish).on('close', breakOff);
  });
}
