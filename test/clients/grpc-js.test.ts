/** grpc-js through the forward port, by its environment alone. */
import t from 'tap';
import { checkClient } from './grpc-service.ts';
import { programFile } from './talk.ts';

t.test('unary, both ways of streaming and both at once; a denial has its receipt', async (t) => {
  await checkClient(t, {
    program: [process.execPath, programFile('grpc-js.ts')],
    environment: ({ ca }) => ({ GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca }),
  });
});
