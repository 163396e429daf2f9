import { mkdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import t from 'tap';
import { systemFault } from '../../src/lineage/fault.ts';
import { systemRemedy } from '../../src/lineage/system-remedy.ts';

const user = process.geteuid?.() ?? 0;

t.test('what the system says when a log is opened becomes a code that tells what to do', (t) => {
  const rows: readonly [cause: unknown, code: string, says: RegExp][] = [
    [systemError('ENOSPC'), 'log_no_room', /Make room on its disk/],
    [systemError('EDQUOT'), 'log_no_room', /raise its quota/],
    [
      systemError('EROFS'),
      'log_unreadable',
      /cannot be opened: EROFS[^]* \/a\/lineage is mounted read-only.* Mount it/,
    ],
    [
      systemError('EACCES'),
      'log_unreadable',
      new RegExp(`runs as user ${user}, and / belongs to user \\d+\\. Run it as the user who owns`),
    ],
    [
      systemError('EPERM', '/proc/1'),
      'log_unreadable',
      new RegExp(`runs as user ${user}, and /proc belongs to user \\d+\\.`),
    ],
    [
      systemError('EPERM', '/nowhere/x'),
      'log_unreadable',
      new RegExp(`runs as user ${user}, and / belongs to .*chown -R`),
    ],
    [systemError('EIO'), 'log_unreadable', /cannot be opened: EIO: said by the system\.$/],
    ['odd', 'log_unreadable', /odd/],
  ];
  for (const [cause, code, message] of rows) t.match(systemFault(cause), { code, message, index: undefined });
  t.end();
});

t.test('a folder that takes nothing is named', (t) => {
  t.equal(
    systemRemedy(caught(() => mkdirSync('/proc/x'))),
    '/proc takes no files or folders: name another place.',
  );
  t.match(systemRemedy(caught(() => mkdirSync('/dev/null/x'))), /^\/dev\/null takes no/);
  t.match(systemRemedy(caught(() => mkdirSync('/dev/null'))), /^\/dev\/null is there, and is no folder/);
  t.equal(systemRemedy(caught(() => readFileSync('/nowhere/x'))), undefined, 'what is not there to be read');
  t.equal(systemRemedy('odd'), undefined);
  t.end();
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (cause) {
    return cause;
  }
}

/** As Node throws it; `code` is not to be relied on: Node has no name for EDQUOT. */
function systemError(
  code: 'ENOSPC' | 'EDQUOT' | 'EROFS' | 'EACCES' | 'EPERM' | 'EIO',
  path = '/a/lineage/lock',
): Error {
  const errno = -constants.errno[code];
  return Object.assign(new Error(`${code}: said by the system`), { errno, path });
}
