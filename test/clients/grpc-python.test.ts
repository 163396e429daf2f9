/** Python's grpc through the forward port, by its environment alone. */
import t from 'tap';
import { unlessInstalled } from '../third-party/tool.ts';
import { checkClient } from './grpc-service.ts';
import { programFile } from './talk.ts';

const python = '/usr/bin/python3'; // Debian's own, whose packages these are
const skip = unlessInstalled(python, '-c', 'import grpc') && 'python3-grpcio is not installed';

t.test('unary, both ways of streaming and both at once; a denial has its receipt', { skip }, async (t) => {
  await checkClient(t, {
    program: [python, programFile('grpc-python.py')],
    environment: ({ ca }) => ({ GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca }),
  });
});
