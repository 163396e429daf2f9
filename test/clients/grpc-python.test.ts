/** Python's grpc: in tunnels, redirected, and to the reverse port. */
import t from 'tap';
import { unlessInstalled } from '../third-party/tool.ts';
import { checkClient } from './grpc-service.ts';
import { programFile } from './talk.ts';

const python = '/usr/bin/python3'; // Debian's own, whose packages these are
const skip = unlessInstalled(python, '-c', 'import grpc') && 'python3-grpcio is not installed';

await checkClient(t, [python, programFile('grpc-python.py')], skip);
