/** Heads for tests, put together from parts so that faults can be combined. */
import type { RawHead } from '../../src/call/call.ts';
import type { CallContext } from '../../src/call/read.ts';

/** A head before it is written down; faults change it. */
export interface HeadParts {
  method: string;
  version: string;
  scheme: string;
  userinfo: string;
  authority: string;
  path: string;
  /** What follows the path. */
  tail: string;
  /** Stands instead of all of the target's parts. */
  target?: string;
  /** Undefined: no `Host`. */
  host: string | undefined;
  headers: [name: string, value: string][];
}

/** A good head for the forward port, after a change. */
export function makeHead(change: (parts: HeadParts) => void = () => {}): RawHead {
  const parts: HeadParts = {
    ...{ method: 'GET', version: '1.1', scheme: 'http', userinfo: '', authority: 'api.example.com' },
    ...{ path: '/a/b', tail: '?x=1', host: 'api.example.com' },
    headers: [['Accept', '*/*']],
  };
  change(parts);
  const { method, version, scheme, userinfo, authority, path, tail, host } = parts;
  const headers = [...(host === undefined ? [] : [['Host', host]]), ...parts.headers].flat();
  const target = parts.target ?? `${scheme}://${userinfo}${authority}${path}${tail}`;
  return { method, target, version, headers };
}

/** A call on the forward port with nothing loosened. */
export const forward: CallContext = {
  id: '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
  salt: new Uint8Array(16),
  carrier: 'forward',
};
