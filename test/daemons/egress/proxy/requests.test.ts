import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import {
  allowAll,
  ask,
  askHttp2,
  begin,
  connectTo,
  dial,
  field,
  openBottle,
  readAll,
  readReply,
  readUntil,
  secure,
  seen,
  session,
  until,
} from './bottle.ts';

test('a request in a TLS tunnel leaves as a whole https URI in the clear', async (t) => {
  const bottle = await openBottle(t);
  const reply = await ask(bottle, 'https://api.example.com/v1/messages?beta=true', { method: 'POST' }, '{"a":1}');
  assert.equal(reply.status, 200);
  const { method, url, body, headers } = seen(reply);
  assert.deepEqual([method, url, body], ['POST', 'https://api.example.com/v1/messages?beta=true', '{"a":1}']);
  assert.deepEqual(field(headers, 'host'), ['api.example.com']);
});

test('a port other than the default one is named in the URI and in Host', async (t) => {
  const bottle = await openBottle(t);
  const { url, headers } = seen(await ask(bottle, 'https://api.example.com:8443/x'));
  assert.equal(url, 'https://api.example.com:8443/x');
  assert.deepEqual(field(headers, 'host'), ['api.example.com:8443']);
});

test('addresses get certificates of their own, without a server name in the handshake', async (t) => {
  const bottle = await openBottle(t);
  for (const host of ['192.0.2.7', '[2001:db8::7]', '192.0.2.8']) {
    const socket = await secure(bottle, `${host}:443`, { serverName: false });
    socket.write(`GET /a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assert.match(await readAll(socket), new RegExp(`https://${host.replace(/[[\].]/g, '\\$&')}/a`));
  }
});

test('a whole http URI sent to the port itself is forwarded, path left as it was sent', async (t) => {
  const bottle = await openBottle(t);
  for (const [sent, left] of [
    ['http://example.com/a/../b%2Fc?d=%41', 'http://example.com/a/../b%2Fc?d=%41'],
    ['http://example.com', 'http://example.com/'],
    ['http://EXAMPLE.com:80?q', 'http://example.com/?q'],
  ]) {
    const socket = await dial(bottle);
    socket.write(`GET ${sent} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n`);
    assert.match(await readAll(socket), new RegExp(`"url":"${left?.replace(/[?./]/g, '\\$&')}"`));
  }
});

test('a tunnel that carries HTTP in the clear is treated as http', async (t) => {
  const bottle = await openBottle(t);
  assert.equal(seen(await ask(bottle, 'http://example.com/x')).url, 'http://example.com/x');
  assert.equal(bottle.exchanges[0]?.question.scheme, 'http');
});

test('a tunnel that carries neither TLS nor HTTP is refused', async (t) => {
  const bottle = await openBottle(t);
  const socket = await connectTo(bottle, 'example.com:22');
  socket.write('\x00\x01\x02\x03');
  assert.match(await readAll(socket), /400 .*egress: a tunnel carries TLS or HTTP\/1\.1/s);
  const ssh = await connectTo(bottle, 'example.com:22');
  ssh.write('SSH-2.0-OpenSSH_9.2\r\n');
  assert.match(await readAll(ssh), /^HTTP\/1\.1 400 /);
  assert.equal(bottle.exchanges.length, 0);
});

test('HTTP/2 is spoken where the client offers it, cookie crumbs joined', async (t) => {
  const bottle = await openBottle(t);
  const client = await session(t, bottle, 'api.example.com:443');
  const reply = await askHttp2(
    client,
    { ':method': 'POST', ':path': '/x?y', 'x-a': '1', cookie: ['a=1', 'b=2'], 'content-type': 'text/plain' },
    'hello',
  );
  assert.equal(reply.status, 200);
  const { method, url, body, headers } = seen(reply);
  assert.deepEqual([method, url, body], ['POST', 'https://api.example.com/x?y', 'hello']);
  assert.deepEqual(field(headers, 'cookie'), ['a=1; b=2']);
  assert.deepEqual(field(headers, 'x-a'), ['1']);
  assert.equal(
    headers.some((name) => name.startsWith(':')),
    false,
  );
});

test('many streams of one HTTP/2 connection are answered each with its own answer', async (t) => {
  const bottle = await openBottle(t);
  const client = await session(t, bottle, 'api.example.com:443');
  const replies = await Promise.all(
    Array.from({ length: 60 }, (_, i) => askHttp2(client, { ':path': `/${i}`, ':method': 'PUT' }, `body ${i}`)),
  );
  replies.forEach((reply, i) => {
    assert.deepEqual([seen(reply).url, seen(reply).body], [`https://api.example.com/${i}`, `body ${i}`]);
  });
});

test('answers without a body keep their head and have none: HEAD, 204, 304', async (t) => {
  const origin = (request: IncomingMessage, response: import('node:http').ServerResponse): void => {
    if (request.method === 'HEAD') response.writeHead(200, { 'Content-Length': '1000' }).end();
    else if (request.url?.endsWith('204') === true) response.writeHead(204).end();
    else response.writeHead(304, { ETag: '"x"' }).end();
  };
  const bottle = await openBottle(t, { origin });
  const head = await ask(bottle, 'https://example.com/', { method: 'HEAD' });
  assert.deepEqual([head.status, field(head.headers, 'content-length'), head.body], [200, ['1000'], '']);
  const empty = await ask(bottle, 'https://example.com/204');
  assert.deepEqual([empty.status, field(empty.headers, 'transfer-encoding'), empty.body], [204, [], '']);
  assert.deepEqual(field((await ask(bottle, 'https://example.com/304')).headers, 'etag'), ['"x"']);
  const client = await session(t, bottle, 'example.com:443');
  const overHttp2 = await askHttp2(client, { ':path': '/', ':method': 'HEAD' });
  assert.deepEqual([overHttp2.status, overHttp2.headers['content-length'], overHttp2.body], [200, '1000', '']);
  assert.equal((await askHttp2(client, { ':path': '/204' })).status, 204);
  assert.equal((await askHttp2(client, { ':path': '/304' })).status, 304);
});

test('a request without a body is sent without one, and an empty body stays an empty body', async (t) => {
  const bottle = await openBottle(t);
  const get = seen(await ask(bottle, 'https://example.com/'));
  assert.deepEqual([field(get.headers, 'content-length'), field(get.headers, 'transfer-encoding')], [[], []]);
  const post = seen(await ask(bottle, 'https://example.com/', { method: 'POST', headers: { 'Content-Length': '0' } }));
  assert.deepEqual([field(post.headers, 'content-length'), field(post.headers, 'transfer-encoding')], [['0'], []]);
});

test('trailers pass both ways, over HTTP/1.1 and HTTP/2; fields that must not be trailers do not', async (t) => {
  const bottle = await openBottle(t, {
    origin: (request, response) => {
      request.resume();
      request.on('end', () => {
        response.writeHead(200, { Trailer: 'X-Sum, Set-Cookie' });
        response.write('body');
        response.addTrailers([
          ['X-Sum', `got ${request.trailers['x-sent']} ${request.trailers.authorization}`],
          ['Set-Cookie', 'a=1'],
        ]);
        response.end();
      });
    },
  });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST', headers: { Trailer: 'X-Sent' } });
  made.write('x');
  made.addTrailers({ 'X-Sent': '42', Authorization: 'Bearer x' });
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  const reply = await readReply(response);
  assert.deepEqual([reply.body, reply.trailers], ['body', ['X-Sum', 'got 42 undefined']]);

  const client = await session(t, bottle, 'example.com:443');
  const overHttp2 = await askHttp2(client, { ':path': '/', ':method': 'POST' }, 'x', {
    'x-sent': '43',
    authorization: 'x',
  });
  assert.deepEqual([overHttp2.body, overHttp2.trailers['x-sum']], ['body', 'got 43 undefined']);
  assert.equal(overHttp2.trailers['set-cookie'], undefined);
});

test('trailers of an answer that belong to one connection, or to the proxy, end here and end nothing else', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, response) => {
      const trailers = ['Proxy-Connection', 'HTTP2-Settings', 'Keep-Alive', 'Upgrade', 'X-Refused-By', 'X-Kept'];
      response.writeHead(200, { Trailer: trailers.join() });
      response.write('body');
      response.addTrailers(trailers.map((name): [string, string] => [name, 'x']));
      response.end();
    },
  });
  assert.deepEqual((await ask(bottle, 'https://example.com/')).trailers, ['X-Kept', 'x']);
  const client = await session(t, bottle, 'example.com:443');
  const { body, trailers } = await askHttp2(client, { ':path': '/' });
  assert.deepEqual([body, Object.entries(trailers)], ['body', [['x-kept', 'x']]]);
});

test('1xx answers reach the agent before the final one; who refuses is not theirs to say', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, response) => {
      const hints = { link: '</a.css>; rel=preload', 'x-refused-by': 'pipelock' };
      response.writeEarlyHints(hints, () => response.end('done'));
    },
  });
  const made = await begin(bottle, 'https://example.com/');
  made.end();
  const [information] = await once(made, 'information');
  assert.deepEqual([information.statusCode, information.headers.link], [103, '</a.css>; rel=preload']);
  assert.equal(information.headers['x-refused-by'], undefined);
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.equal((await readReply(response)).body, 'done');
  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/' });
  const [hints] = await once(stream, 'headers');
  assert.equal(hints[':status'], 103);
  stream.close();
});

test('an agent that expects 100-continue is told to go on when the origin is', async (t) => {
  const bottle = await openBottle(t);
  const made = await begin(bottle, 'https://example.com/', {
    method: 'POST',
    headers: { Expect: '100-continue', 'Content-Length': '3' },
  });
  made.flushHeaders();
  await once(made, 'continue');
  made.end('abc');
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.equal(seen(await readReply(response)).body, 'abc');
});

test('an agent that expects 100-continue and is refused never sends its body', async (t) => {
  const bottle = await openBottle(t, {
    judge: () => ({ kind: 'refused', status: 403, code: 'host-not-allowed', reason: 'no' }),
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('POST / HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n');
  const answer = await readUntil(socket, 'egress: no\n');
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.doesNotMatch(answer, / 100 /);
  assert.match(answer, /Connection: close/i);
});

test('an origin that answers before the body ends the upload', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, response) => response.writeHead(413).end('too much'),
    limits: { linger_ms: 100 },
  });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\nabc');
  assert.match(await readAll(socket), /^HTTP\/1\.1 413 .*too much/s);
  assert.equal((await bottle.reported(1)).status, 413);
});

test('hop-by-hop fields and those that Connection names end at the proxy, in both directions', async (t) => {
  const bottle = await openBottle(t, {
    origin: (request, response) => {
      response.writeHead(200, [
        ...['Connection', 'X-Back', 'X-Back', '1', 'Proxy-Authenticate', 'Basic', 'Keep-Alive', 'timeout=5'],
        ...['Alt-Svc', 'h3=":443"', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Refused-By', 'forged'],
      ]);
      response.end(JSON.stringify({ method: '', url: '', headers: request.rawHeaders, body: '', trailers: [] }));
    },
  });
  const reply = await ask(bottle, 'https://example.com/', {
    headers: {
      Connection: 'X-Here, keep-alive',
      'X-Here': '1',
      'X-There': '2',
      'Proxy-Authorization': 'Basic eA==',
      'Proxy-Connection': 'keep-alive',
      TE: 'trailers',
      Upgrade: 'h2c',
      'HTTP2-Settings': 'AAMAAABk',
    },
  });
  const { headers } = seen(reply);
  for (const name of ['x-here', 'proxy-authorization', 'proxy-connection', 'te', 'upgrade', 'http2-settings']) {
    assert.deepEqual(field(headers, name), [], name);
  }
  assert.deepEqual(field(headers, 'x-there'), ['2']);
  for (const name of ['x-back', 'proxy-authenticate', 'alt-svc', 'x-refused-by'])
    assert.deepEqual(field(reply.headers, name), [], name);
  assert.deepEqual(field(reply.headers, 'set-cookie'), ['a=1', 'b=2']);
  const question = bottle.exchanges[0]?.question;
  assert.deepEqual(field(question?.headers ?? [], 'x-here'), [], 'what does not go out is not judged either');
});

test('a redirect is passed on, and what the client asks for then is judged anew', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, response) => response.writeHead(302, { Location: 'https://evil.example/' }).end(),
    judge: (question) =>
      question.authority.host === 'example.com'
        ? allowAll(question)
        : { kind: 'refused', status: 403, code: 'host-not-allowed', reason: 'evil.example is in no route' },
  });
  const first = await ask(bottle, 'https://example.com/');
  assert.deepEqual([first.status, field(first.headers, 'location')], [302, ['https://evil.example/']]);
  assert.equal((await ask(bottle, 'https://evil.example/')).status, 403);
});

test('what the policy puts in goes out, and its target in place of the sent one', async (t) => {
  const bottle = await openBottle(t, {
    judge: ({ headers }) => ({
      kind: 'allowed',
      route: 'r',
      target: '/other',
      headers: [...headers, 'Authorization', 'Bearer injected'],
      watch: undefined,
      trailers: (fields) => fields,
      answerHeaders: (fields) => fields,
    }),
  });
  const { url, headers } = seen(
    await ask(bottle, 'https://example.com/asked', { headers: { Connection: 'close, x-authorization' } }),
  );
  assert.equal(url, 'https://example.com/other');
  assert.deepEqual(field(headers, 'authorization'), ['Bearer injected']);
});

test('a refusal is one line of text; a policy that breaks down refuses', async (t) => {
  let reason = 'evil.example is in no route';
  const bottle = await openBottle(t, {
    judge: () => {
      if (reason === '') throw new Error('secret details');
      return { kind: 'refused', status: 403, code: 'host-not-allowed', reason };
    },
  });
  const reply = await ask(bottle, 'https://evil.example/');
  assert.deepEqual([reply.status, reply.body], [403, 'egress: evil.example is in no route\n']);
  assert.deepEqual(field(reply.headers, 'content-type'), ['text/plain; charset=utf-8']);
  const client = await session(t, bottle, 'evil.example:443');
  const overHttp2 = await askHttp2(client, { ':path': '/', ':method': 'POST' }, 'x'.repeat(100_000));
  assert.deepEqual([overHttp2.status, overHttp2.body], [403, 'egress: evil.example is in no route\n']);
  reason = '';
  const broken = await ask(bottle, 'https://evil.example/');
  assert.deepEqual([broken.status, broken.body.includes('secret')], [503, false]);
});

test('the daemon answers for a host of its own through the policy', async (t) => {
  const bottle = await openBottle(t, {
    judge: () => ({ kind: 'answered', status: 200, contentType: 'application/json', body: '{"routes":[]}' }),
  });
  const reply = await ask(bottle, 'https://routes.egress.internal/allowlist');
  assert.deepEqual([reply.body, field(reply.headers, 'content-type')], ['{"routes":[]}', ['application/json']]);
});

test('a request to the proxy itself is answered by its owner or refused', async (t) => {
  const bottle = await openBottle(t, {
    own: ({ method, target }) =>
      method === 'GET' && target === '/__health'
        ? { kind: 'answered', status: 200, contentType: 'application/json', body: '{"ok":true}' }
        : undefined,
  });
  const health = await dial(bottle);
  health.write('GET /__health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(health), /200 OK.*\{"ok":true\}$/s);
  const other = await dial(bottle);
  other.write('GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(other), /400 Bad Request.*egress: this is a proxy/s);
  const tunnelled = await secure(bottle, 'example.com:443');
  tunnelled.write('GET /__health HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(tunnelled), /"url":"https:\/\/example\.com\/__health"/);
});

test('HTTP/1.0 is answered in its own way', async (t) => {
  const bottle = await openBottle(t);
  const socket = await dial(bottle);
  socket.write('GET http://example.com/x HTTP/1.0\r\n\r\n');
  const answer = await readAll(socket);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(answer, /transfer-encoding/i);
});

test('one connection carries many requests, one after the other and pipelined', async (t) => {
  const bottle = await openBottle(t);
  const socket = await secure(bottle, 'example.com:443');
  const one = (n: number): string => `GET /${n} HTTP/1.1\r\nHost: example.com\r\n\r\n`;
  socket.write(one(1));
  await readUntil(socket, '/1"');
  socket.write(one(2) + one(3) + one(4));
  const text = await readUntil(socket, '/4"');
  assert.deepEqual(text.match(/example\.com\/\d/g), ['example.com/2', 'example.com/3', 'example.com/4']);
});

test('close lets what is under way finish and ends the rest', async (t) => {
  let answer: (() => void) | undefined;
  const bottle = await openBottle(t, {
    origin: (_request, response) => {
      response.write('first ');
      answer = () => response.end('last');
    },
  });
  const idle = await secure(bottle, 'example.com:443');
  const reply = ask(bottle, 'https://example.com/');
  await until(() => answer !== undefined, 'the request reaches the origin');
  const closing = bottle.proxy.close(5_000);
  answer?.();
  assert.equal((await reply).body, 'first last');
  await closing;
  await readAll(idle);
  assert.deepEqual(bottle.proxy.figures(), {
    connections: 0,
    exchanges: 0,
    webSockets: 0,
    tunnels: 0,
    malformed: 0,
    dropped: 0,
  });
});
