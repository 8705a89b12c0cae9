import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { BodyWatch, Judge, Refused } from '../../../../daemons/egress/verdict.ts';
import { ask, askHttp2, begin, openBottle, readReply, readUntil, secure, seen, session, until } from './bottle.ts';

const refusal: Refused = {
  kind: 'refused',
  status: 403,
  code: 'secret-found',
  reason: 'the body holds a known secret',
};

/** Holds back the last four bytes, turns `star` into stars, and refuses at `boom`. */
function watch(): BodyWatch {
  let kept: Buffer = Buffer.alloc(0);
  const look = (bytes: Buffer): ReturnType<BodyWatch['end']> => {
    if (bytes.includes('boom')) return { kind: 'refuse', refusal };
    return { kind: 'pass', bytes: Buffer.from(bytes.toString('latin1').replaceAll('star', '****'), 'latin1') };
  };
  return {
    push(chunk) {
      const all = Buffer.concat([kept, chunk]);
      const step = look(all);
      if (step.kind === 'refuse') return step;
      kept = step.bytes.subarray(Math.max(0, step.bytes.length - 4));
      return { kind: 'pass', bytes: step.bytes.subarray(0, step.bytes.length - kept.length) };
    },
    end: () => look(kept),
  };
}

const watched: Judge = ({ authority, target, headers }) => ({
  kind: 'allowed',
  route: authority.host,
  target,
  headers,
  watch,
  trailers: (fields) => (fields.includes('boom') ? refusal : fields),
  answerHeaders: (fields) => fields,
});

test('a body goes out as the watch lets it, its length unchanged', async (t) => {
  const bottle = await openBottle(t, { judge: watched });
  const sized = seen(
    await ask(bottle, 'https://example.com/', { method: 'POST', headers: { 'Content-Length': '9' } }, 'my star!!'),
  );
  assert.equal(sized.body, 'my ****!!');
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.write('my st');
  made.write('ar!');
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.equal(seen(await readReply(response)).body, 'my ****!');
  const client = await session(t, bottle, 'example.com:443');
  assert.equal(seen(await askHttp2(client, { ':path': '/', ':method': 'POST' }, 'a star')).body, 'a ****');
});

test('a secret in a body ends the request upstream and is answered 403', async (t) => {
  let ended = 0;
  let arrived = 0;
  let closed = 0;
  const bottle = await openBottle(t, {
    judge: watched,
    origin: (request) => {
      arrived += 1;
      request.resume();
      request.on('error', () => {});
      request.on('end', () => (ended += 1));
      request.on('close', () => (closed += 1));
    },
  });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST' });
  made.write('harmless ');
  await until(() => bottle.proxy.figures().exchanges === 1, 'the request is under way');
  made.write('bo');
  made.end('om');
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.deepEqual(
    [response.statusCode, (await readReply(response)).body],
    [403, 'egress: the body holds a known secret\n'],
  );
  const client = await session(t, bottle, 'example.com:443');
  const overHttp2 = await askHttp2(client, { ':path': '/', ':method': 'POST' }, 'boom');
  assert.equal(overHttp2.status, 403);
  await until(() => bottle.exchanges.length === 2, 'both are reported');
  assert.equal(ended, 0, 'the origin never saw the end of it');
  await until(() => closed === arrived, 'the origin sees each one that reached it broken off');
  for (const { verdict, status } of bottle.exchanges) assert.deepEqual([verdict, status], [refusal, 403]);
});

test('a secret after the answer has begun breaks it off', async (t) => {
  const bottle = await openBottle(t, { judge: watched, origin: (_request, answer) => answer.write('early') });
  const socket = await secure(bottle, 'example.com:443');
  socket.write('POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100\r\n\r\nharmless');
  await readUntil(socket, 'early');
  socket.write('boom');
  await once(socket, 'close');
  const { fault, status } = await bottle.reported(1);
  assert.deepEqual([fault, status], ['secret-found', 200]);
});

test('a trailer that the policy refuses ends the request upstream and is answered 403', async (t) => {
  const bottle = await openBottle(t, { judge: watched, origin: (request) => request.resume() });
  const made = await begin(bottle, 'https://example.com/', { method: 'POST', headers: { Trailer: 'X-T' } });
  made.write('x');
  made.addTrailers({ 'X-T': 'boom' });
  made.end();
  const [response] = (await once(made, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 403);
  response.resume();
});
