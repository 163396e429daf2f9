/** Git's own server program behind https: what hosts of repositories run (gitprotocol-http, RFC 3875). */
import { spawn } from 'node:child_process';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** Serves every repository in a folder, to fetch from and, where it says `http.receivepack`, to push to. */
export function gitBackend(folder: string): RequestListener {
  return (request, response) => {
    const child = spawn('git', ['http-backend'], { env: variables(folder, request) });
    request.pipe(child.stdin.on('error', () => undefined));
    let head = Buffer.alloc(0);
    const takeHead = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      child.stdout.off('data', takeHead).pause();
      writeHead(response, head.subarray(0, end).toString());
      response.write(head.subarray(end + 4));
      child.stdout.pipe(response);
    };
    child.stdout.on('data', takeHead);
  };
}

function variables(folder: string, { method, url = '', headers }: IncomingMessage): NodeJS.ProcessEnv {
  const [path, query = ''] = url.split('?');
  return {
    ...{
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'agent',
    },
    ...{
      REQUEST_METHOD: method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: headers['content-type'],
    },
    ...{ CONTENT_LENGTH: headers['content-length'], HTTP_CONTENT_ENCODING: headers['content-encoding'] },
    GIT_PROTOCOL: [headers['git-protocol']].flat()[0],
  };
}

function writeHead(response: ServerResponse, head: string): void {
  for (const line of head.split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    if (name === 'Status') response.statusCode = Number.parseInt(value);
    else response.setHeader(name, value);
  }
}
