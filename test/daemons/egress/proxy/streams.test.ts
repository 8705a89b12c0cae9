import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientHttp2Stream } from 'node:http2';
import { test } from 'node:test';
import { begin, openBottle, session, until } from './bottle.ts';

const mebibyte = Buffer.alloc(1024 * 1024, 0x61);
/** More than all buffers on the way hold together, kernel's included. */
const farTooMuch = 256;

test('each server-sent event arrives when it is sent, not when the next one is', async (t) => {
  let response: ServerResponse | undefined;
  const bottle = await openBottle(t, {
    origin: (_request, answer) => {
      answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
      answer.flushHeaders();
      response = answer;
    },
  });
  const made = await begin(bottle, 'https://example.com/events');
  made.end();
  const [overHttp1] = (await once(made, 'response')) as [IncomingMessage];
  const first = response;
  for (let i = 0; i < 10; i += 1) {
    const arrives = once(overHttp1, 'data');
    first?.write(`data: ${i}\n\n`);
    assert.equal(String((await arrives)[0]), `data: ${i}\n\n`);
  }
  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/events' });
  await once(stream, 'response');
  for (let i = 0; i < 10; i += 1) {
    const arrives = once(stream, 'data');
    response?.write(`data: ${i}\n\n`);
    assert.equal(String((await arrives)[0]), `data: ${i}\n\n`);
  }
});

test('pieces of a request body leave when they come', async (t) => {
  let request: IncomingMessage | undefined;
  const bottle = await openBottle(t, { origin: (incoming) => (request = incoming) });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.on('error', () => {});
  made.write('0');
  await until(() => request !== undefined, 'the head arrives with the first piece');
  const { value: origin } = { value: request };
  for (let i = 1; i < 5; i += 1) {
    made.write(String(i));
    await until(() => String(origin?.read() ?? '').endsWith(String(i)), `piece ${i}`);
  }
  made.destroy();
});

function pour(answer: ServerResponse, count: (mebibytes: number) => void): void {
  let sent = 0;
  const go = (): void => {
    while (sent < farTooMuch && !answer.destroyed) {
      sent += 1;
      count(sent);
      if (!answer.write(mebibyte)) {
        answer.once('drain', go);
        return;
      }
    }
    answer.end();
  };
  go();
}

/** Whether a number has stopped growing. */
async function settled(value: () => number): Promise<number> {
  let before = -1;
  for (let same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = value() === before ? same + 1 : 0;
    before = value();
  }
  return before;
}

test('an agent that does not read stops the origin, over HTTP/1.1 and HTTP/2', async (t) => {
  let sent = 0;
  const bottle = await openBottle(t, { origin: (_request, answer) => pour(answer, (mebibytes) => (sent = mebibytes)) });
  const made = await begin(bottle, 'https://example.com/');
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  assert.ok((await settled(() => sent)) < farTooMuch / 2, `${sent} MiB left the origin`);
  made.destroy();

  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/' });
  await once(stream, 'response');
  assert.ok((await settled(() => sent)) < farTooMuch / 2, `${sent} MiB left the origin`);
  stream.close();
});

test('an origin that does not read stops the agent, over HTTP/1.1 and HTTP/2', async (t) => {
  const bottle = await openBottle(t, { origin: () => {} });
  const upload = async (stream: NodeJS.WritableStream): Promise<number> => {
    let sent = 0;
    stream.on('error', () => {});
    const go = (): void => {
      while (sent < farTooMuch) {
        sent += 1;
        if (!stream.write(mebibyte)) {
          stream.once('drain', go);
          return;
        }
      }
    };
    go();
    return await settled(() => sent);
  };
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  assert.ok((await upload(made)) < farTooMuch / 2);
  made.destroy();
  const client = await session(t, bottle, 'example.com:443');
  const stream: ClientHttp2Stream = client.request({ ':path': '/', ':method': 'POST' });
  assert.ok((await upload(stream)) < farTooMuch / 2);
  stream.close();
});

test('an agent that goes away ends the request at the origin, before, during and after the body', async (t) => {
  const closed: string[] = [];
  const arrived: string[] = [];
  const bottle = await openBottle(t, {
    origin: (request, answer) => {
      const { url = '' } = request;
      arrived.push(url);
      request.on('data', () => {});
      request.on('error', () => {});
      answer.on('close', () => closed.push(url));
      if (url.endsWith('/answering')) answer.write('piece');
    },
  });
  for (const [path, body] of [
    ['/waiting', undefined],
    ['/uploading', 'half'],
    ['/answering', undefined],
  ] as const) {
    const url = `https://example.com${path}`;
    const made = await begin(bottle, url, { method: body === undefined ? 'GET' : 'POST' });
    made.on('error', () => {});
    if (body === undefined) made.end();
    else made.write(body);
    await until(() => arrived.includes(url), `${path} arrives`);
    made.destroy();
    await until(() => closed.includes(url), `${path} ends at the origin`);
  }
  const client = await session(t, bottle, 'example.com:443');
  for (const path of ['/waiting', '/answering']) {
    arrived.length = 0;
    closed.length = 0;
    const stream = client.request({ ':path': path });
    stream.on('error', () => {});
    await until(() => arrived.length > 0, `${path} arrives`);
    stream.close(8);
    await until(() => closed.length > 0, `${path} ends at the origin`);
  }
  await until(() => bottle.exchanges.length === 5, 'all are reported');
  for (const { fault } of bottle.exchanges) assert.equal(fault, 'client-aborted');
  assert.equal(bottle.proxy.figures().exchanges, 0);
});

test('a pipelined request that waits for its turn ends with its connection', async (t) => {
  const arrived: string[] = [];
  let closed = 0;
  const bottle = await openBottle(t, {
    origin: (request, answer) => {
      arrived.push(request.url ?? '');
      answer.on('close', () => (closed += 1));
    },
  });
  const made = await begin(bottle, 'https://example.com/1', { headers: { Connection: 'keep-alive' } });
  made.on('error', () => {});
  made.end();
  await once(made, 'socket');
  made.socket?.write('GET /2 HTTP/1.1\r\nHost: example.com\r\n\r\n');
  await until(() => arrived.length === 2, 'both arrive');
  made.destroy();
  await until(() => closed === 2 && bottle.exchanges.length === 2, 'both end');
  assert.equal(bottle.proxy.figures().exchanges, 0);
});

test('an origin that breaks off in its answer breaks off the answer to the agent', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, answer) => {
      answer.writeHead(200, { 'Content-Length': '1000' });
      answer.write('half', () => answer.destroy());
    },
  });
  const made = await begin(bottle, 'https://example.com/');
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  const [error] = await once(response.resume(), 'error');
  assert.equal(error.code, 'ECONNRESET');
  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/' });
  stream.resume();
  const [reset] = await once(stream, 'error');
  assert.match(String(reset), /ERR_HTTP2_STREAM_ERROR.*INTERNAL_ERROR/);
  await until(() => bottle.exchanges.length === 2, 'both are reported');
  assert.deepEqual(
    bottle.exchanges.map(({ fault, status }) => [fault, status]),
    [
      ['upstream-aborted', 200],
      ['upstream-aborted', 200],
    ],
  );
});

test('a chunked answer that breaks off does not look complete', async (t) => {
  const bottle = await openBottle(t, {
    origin: (_request, answer) => {
      answer.write('half', () => answer.destroy());
    },
  });
  const made = await begin(bottle, 'https://example.com/');
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  await once(response.resume(), 'error');
  assert.equal(response.complete, false);
  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/' });
  let hasEnded = false;
  stream.resume().once('end', () => (hasEnded = true));
  const [reset] = await once(stream, 'error');
  assert.deepEqual([hasEnded, /INTERNAL_ERROR/.test(String(reset))], [false, true]);
});

test('sizes and times of an exchange are reported when it is over', async (t) => {
  const bottle = await openBottle(t, {
    origin: (request, answer) => {
      request.resume();
      request.on('end', () => answer.end(mebibyte));
    },
  });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.end(Buffer.alloc(3000));
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
  const { sentBytes, receivedBytes, duration_ms, fault, status, verdict } = await bottle.reported(1);
  assert.deepEqual(
    [sentBytes, receivedBytes, fault, status, verdict.kind],
    [3000, mebibyte.length, undefined, 200, 'allowed'],
  );
  assert.ok(duration_ms > 0);
});
