// A small HTTP server with a health endpoint.
import { createServer } from 'node:http';

const port = Number(process.env.PORT);
const server = createServer((request, response) => {
  const healthy = request.url === '/health';
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end(healthy ? 'ok\n' : 'Hello from a daemon of the bundle.\n');
});
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
