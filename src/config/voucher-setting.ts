/** The settings about those outside who vouch for the log: witnesses, and a time-stamping authority. */
import * as z from 'zod';
import { setting } from './setting.ts';
import {
  checkTimestamp,
  checkWitnesses,
  objectIdentifier,
  path,
  webAddress,
  whole,
  witnessAddress,
} from './values.ts';

/** Who cosigns its checkpoints. */
export const witnesses = z
  .strictObject({
    list: setting(z.array(witnessAddress, 'must be a list').max(32, 'must be at most 32'), [], {
      kind: 'list',
      description:
        'Whom to ask for cosignatures of the log’s checkpoints: each its verifier key, a space and its URL. A witness that contradicts the log stops the sidecar, so name only those that you would let.',
    }),
    quorum: setting(whole(1, 32), 1, {
      kind: 'whole',
      description: 'So many of them must have cosigned a checkpoint before it counts as witnessed.',
    }),
    interval_seconds: setting(whole(1, 86_400), 10, {
      kind: 'whole',
      description: 'How often they are asked.',
    }),
    halt_after_seconds: setting(whole(0, 31_536_000), 0, {
      kind: 'whole',
      description:
        'Calls are denied (`witness_overdue`) once so long no checkpoint reached the quorum; 0: never, it is only said.',
    }),
  })
  .superRefine(checkWitnesses)
  .prefault({} as never); // every row has a default

/** Who says when they existed. */
export const timestamp = z
  .strictObject({
    url: setting(webAddress.nullable(), null, {
      kind: 'text',
      description:
        'A time-stamping authority (RFC 3161, HTTP) that is asked to timestamp the log’s checkpoints. Absent: none is asked. Nothing waits for it.',
    }),
    roots: setting(path.nullable(), null, {
      kind: 'path',
      description:
        'PEM file of the roots that its certificate must lead to; read anew each time. No timestamp is kept that does not verify.',
    }),
    policy_oid: setting(objectIdentifier.nullable(), null, {
      kind: 'text',
      description:
        'Object identifier of the policy that it is asked for, such as 1.2.3.4.1: it says how the authority works. A timestamp under another one is refused. Absent: any will do.',
    }),
    interval_seconds: setting(whole(60, 31_536_000), 3600, {
      kind: 'whole',
      description: 'How often it is asked, where the log has grown since.',
    }),
    timeout_ms: setting(whole(100, 60_000), 10_000, {
      kind: 'whole',
      description: 'An answer that is not there by then counts as none.',
    }),
  })
  .superRefine(checkTimestamp)
  .prefault({} as never); // every row has a default
