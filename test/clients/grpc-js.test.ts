/** grpc-js: in tunnels, redirected, and to the reverse port. */
import t from 'tap';
import { checkClient } from './grpc-service.ts';
import { programFile } from './talk.ts';

await checkClient(t, [process.execPath, programFile('grpc-js.ts')]);
