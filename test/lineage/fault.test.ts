import { constants } from 'node:os';
import t from 'tap';
import { systemFault } from '../../src/lineage/fault.ts';

t.test('what the system says when a log is opened becomes a code that tells what to do', (t) => {
  const rows: readonly [cause: unknown, code: string, says: RegExp][] = [
    [systemError('ENOSPC'), 'log_no_room', /Make room on its disk/],
    [systemError('EDQUOT'), 'log_no_room', /raise its quota/],
    [systemError('EROFS'), 'log_unreadable', /cannot be opened: EROFS/],
    [systemError('EIO'), 'log_unreadable', /EIO/],
    ['odd', 'log_unreadable', /odd/],
  ];
  for (const [cause, code, message] of rows) t.match(systemFault(cause), { code, message, index: undefined });
  t.end();
});

/** As Node throws it; `code` is not to be relied on: Node has no name for EDQUOT. */
function systemError(code: 'ENOSPC' | 'EDQUOT' | 'EROFS' | 'EIO'): Error {
  const errno = -constants.errno[code];
  return Object.assign(new Error(`${code}: said by the system`), { errno });
}
