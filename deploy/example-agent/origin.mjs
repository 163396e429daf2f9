// A place for the example agent to call: answers every request and prints it, so that one can see what arrived.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  console.log(request.method, request.url, JSON.stringify(request.headers));
  request.resume();
  response
    .setHeader('Content-Type', 'text/plain; charset=utf-8')
    .end(`${request.method} ${request.url} arrived\n`);
});
server.listen(8080, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
