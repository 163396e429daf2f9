/** grpc-js: by its environment alone, and to the reverse port. */
import t from 'tap';
import { checkClient } from './grpc-service.ts';
import { programFile } from './talk.ts';

t.test('unary, both ways of streaming and both at once; each denial has its receipt', async (t) => {
  await checkClient(t, [process.execPath, programFile('grpc-js.ts')]);
});
