import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { portOf } from '../../daemons/listen/listen.ts';
import { createSidecarLlmClient, DEFAULT_URL, type LlmClient } from '../../daemons/model/client.ts';
import { eventData } from '../../daemons/model/event-stream.ts';
import { jsonText } from '../../daemons/model/json-text.ts';
import type { MockRequest } from '../../daemons/model/mock/answer.ts';
import { faultOf, listening, makeWorld, piecesOf } from './world.ts';

describe('a prompt', () => {
  it('is a system and a user message to /v1/chat/completions, and its answer is the text as the model wrote it', async (t) => {
    const asked: MockRequest[] = [];
    const { client } = await makeWorld(t, {
      answer: (request) => {
        asked.push(request);
        return { kind: 'text', text: '```json\n{}\n```' };
      },
    });
    const plain: LlmClient = client;
    assert.equal(await plain.prompt('be brief', 'why?'), '```json\n{}\n```');
    assert.deepEqual(asked, [
      {
        model: 'base',
        stream: false,
        messages: [
          { role: 'system', content: 'be brief' },
          { role: 'user', content: 'why?' },
        ],
      },
    ]);
  });

  it('goes to the adapter that the call names, else to that of the client', async (t) => {
    const models: string[] = [];
    const { client } = await makeWorld(
      t,
      {
        answer: ({ model }) => {
          models.push(model);
          return { kind: 'text', text: 'yes' };
        },
      },
      { model: 'green_agent_adapter' },
    );
    await client.prompt('s', 'u');
    await client.prompt('s', 'u', { model: 'red_agent_adapter' });
    assert.deepEqual(models, ['green_agent_adapter', 'red_agent_adapter']);
  });

  it('in JSON is a text that JSON.parse takes, with a fence around it or not', async (t) => {
    const answers = ['{"a":1}', '```json\n{"a":1}\n```', ' ```\r\n{"a":1}```\n', 'sure: {"a":1}'];
    const { client } = await makeWorld(t, { answer: (_, nth) => ({ kind: 'text', text: answers[nth] ?? '' }) });
    for (let nth = 0; nth < 3; nth++) assert.equal(await client.prompt('s', 'u', { format: 'json' }), '{"a":1}');
    assert.deepEqual(await faultOf(client.prompt('s', 'u', { format: 'json' })), { kind: 'not-json' });
  });

  it('shows the key EMPTY where none is given, and another one that is', async (t) => {
    const { client, url } = await makeWorld(t, { apiKey: 'EMPTY' });
    assert.match(await client.prompt('s', 'hello'), /hello/);
    const other = createSidecarLlmClient({ baseUrl: url, model: 'base', apiKey: 'another' });
    assert.deepEqual(await faultOf(other.prompt('s', 'u')), { kind: 'refused', status: 401, detail: 'Unauthorized' });
  });

  it('goes to LLM_SIDECAR_URL, with a slash at its end or without', async (t) => {
    const { url } = await makeWorld(t);
    t.after(() => {
      delete process.env.LLM_SIDECAR_URL;
    });
    for (const written of [url, `${url}/`]) {
      process.env.LLM_SIDECAR_URL = written;
      assert.match(await createSidecarLlmClient({ model: 'base' }).prompt('s', 'hello'), /hello/);
    }
    assert.equal(DEFAULT_URL, 'http://vllm-sidecar:8000/v1');
  });
});

describe('a server that warms up', () => {
  it('is asked again when it breaks a connection, or answers 429, 502, 503 or 504', async (t) => {
    const failures = [429, 502, 503, 504, 'drop'] as const;
    const { client } = await makeWorld(t, {
      answer: (_, nth) => {
        const failure = nth % 2 === 0 ? failures[nth / 2] : undefined;
        if (failure === undefined) return { kind: 'text', text: 'in the end' };
        return failure === 'drop' ? { kind: 'drop', afterTokens: 0 } : { kind: 'status', status: failure };
      },
    });
    for (const _ of failures) assert.equal(await client.prompt('s', 'u', { deadline_ms: 60_000 }), 'in the end');
  });

  it('is left alone for as long as Retry-After says, and given up at once where that is beyond the deadline', async (t) => {
    const { client } = await makeWorld(t, { answer: () => ({ kind: 'status', status: 429, retryAfter: '60' }) });
    const begun = performance.now();
    assert.deepEqual(await faultOf(client.prompt('s', 'u', { deadline_ms: 30_000 })), {
      kind: 'unavailable',
      attempts: 1,
      last: 'it answered 429',
    });
    assert.ok(performance.now() - begun < 30_000);
  });

  it('that never comes ends in a typed error with what was seen at last', async (t) => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = portOf(server);
    server.close();
    await once(server, 'close');
    t.diagnostic(`nobody listens on ${port}`);
    const client = createSidecarLlmClient({ baseUrl: `http://127.0.0.1:${port}/v1`, model: 'base', deadline_ms: 600 });
    const fault = await faultOf(client.prompt('s', 'u'));
    assert.equal(fault.kind === 'unavailable' && fault.last, 'ECONNREFUSED');
  });

  it('tells its models when it is ready', async (t) => {
    let isWarm = false;
    const { client, server } = await makeWorld(t, { isWarm: () => isWarm });
    server.once('request', () => {
      isWarm = true;
    });
    assert.deepEqual(await client.models(), ['base', 'green_agent_adapter', 'red_agent_adapter']);
  });
});

describe('a call that fails', () => {
  const cases = [
    [
      'a model that is not there',
      { model: 'pink' },
      undefined,
      { kind: 'refused', status: 404, detail: 'The model `pink` does not exist.' },
    ],
    ['an answer without text', {}, { kind: 'empty' }, { kind: 'empty', finish: 'stop' }],
    [
      'an answer that is no JSON',
      {},
      { kind: 'raw', body: '<html>' },
      { kind: 'malformed', detail: 'it is no chat completion' },
    ],
    [
      'an error with status 200',
      {},
      { kind: 'raw', body: '{"error":{"message":"no such adapter"}}' },
      { kind: 'refused', status: 200, detail: 'no such adapter' },
    ],
    ['an answer without choices', {}, { kind: 'raw', body: '{"choices":[]}' }, { kind: 'empty', finish: undefined }],
    [
      'a question that is too long',
      {},
      { kind: 'status', status: 400, message: 'too many tokens' },
      { kind: 'refused', status: 400, detail: 'too many tokens' },
    ],
    [
      'an answer that is too long',
      {},
      { kind: 'text', text: 'x'.repeat(20_000) },
      { kind: 'too-large', most_bytes: 10_000 },
    ],
    [
      'a redirect',
      {},
      { kind: 'status', status: 302, message: 'elsewhere' },
      { kind: 'refused', status: 302, detail: 'elsewhere' },
    ],
  ] as const;
  for (const [what, call, made, fault] of cases) {
    it(`because of ${what} says so by its type, and is not tried again`, async (t) => {
      let taken = 0;
      const { client } = await makeWorld(
        t,
        {
          answer: () => {
            taken++;
            return made ?? { kind: 'text', text: '' };
          },
        },
        { mostBytes: 10_000 },
      );
      assert.deepEqual(await faultOf(client.prompt('s', 'u', call)), fault);
      assert.ok(taken <= 1);
    });
  }

  it('because the model thinks too long is a timeout at its deadline', async (t) => {
    const { client } = await makeWorld(t, { answer: () => ({ kind: 'silent' }) });
    assert.deepEqual(await faultOf(client.prompt('s', 'u', { deadline_ms: 200 })), {
      kind: 'timeout',
      deadline_ms: 200,
    });
  });

  it('because its caller cancels it is told as cancelled, while it waits for an answer and between attempts', async (t) => {
    for (const isAnswered of [false, true]) {
      const giveUp = new AbortController();
      const { client, server } = await makeWorld(t, {
        answer: () => {
          if (!isAnswered) setImmediate(() => giveUp.abort());
          return isAnswered ? { kind: 'status', status: 503, retryAfter: '20' } : { kind: 'silent' };
        },
      });
      server.once('request', (_, response) => response.once('close', () => setImmediate(() => giveUp.abort())));
      assert.deepEqual(await faultOf(client.prompt('s', 'u', { signal: giveUp.signal })), { kind: 'cancelled' });
    }
  });
});

describe('a stream', () => {
  it('gives the pieces as the model writes them', async (t) => {
    const { client } = await makeWorld(t, { answer: () => ({ kind: 'text', text: 'one two three' }) });
    assert.deepEqual(await piecesOf(client.stream('s', 'u')), ['one ', 'two ', 'three']);
  });

  it('gives the first piece before the last one is written', async (t) => {
    const { server, client } = await makeWorld(t, {
      answer: () => ({ kind: 'text', text: 'a b c d' }),
      tokenPause_ms: 50,
    });
    let isFinished = false;
    server.once('request', (_, response) => response.once('finish', () => (isFinished = true)));
    for await (const piece of client.stream('s', 'u')) {
      if (piece === 'a ') assert.equal(isFinished, false);
    }
  });

  it('that its reader leaves, or cancels, ends the request', async (t) => {
    const { server, client } = await makeWorld(t, {
      answer: () => ({ kind: 'text', text: 'word '.repeat(10_000) }),
      tokenPause_ms: 5,
    });
    const closed = (): Promise<unknown> =>
      new Promise((resolve) => server.once('request', (_, response) => response.once('close', resolve)));
    const left = closed();
    for await (const _ of client.stream('s', 'u')) break;
    await left;
    const cancelled = closed();
    const giveUp = new AbortController();
    const fault = await faultOf(
      (async () => {
        for await (const _ of client.stream('s', 'u', { signal: giveUp.signal })) giveUp.abort();
      })(),
    );
    assert.deepEqual(fault, { kind: 'cancelled' });
    await cancelled;
  });

  it('that breaks in the middle keeps what came, and ends in a typed error', async (t) => {
    const { client } = await makeWorld(t, { answer: () => ({ kind: 'drop', afterTokens: 2 }) });
    const pieces: string[] = [];
    const fault = await faultOf(
      (async () => {
        for await (const piece of client.stream('s', 'u')) pieces.push(piece);
      })(),
    );
    assert.deepEqual(pieces, ['token ', 'token ']);
    assert.equal(fault.kind, 'cut-off');
  });

  const piece = (text: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`;
  const broken = [
    ['without an end', piece('a'), 'cut-off'],
    ['with an event that is none', 'data: {"choices":1}\n\n', 'malformed'],
    ['with an error in it', `${piece('a')}data: {"error":{"message":"out of memory"}}\n\n`, 'refused'],
    ['without a word', 'data: [DONE]\n\n', 'empty'],
    ['that has no end at all', piece('a'.repeat(500)).repeat(100), 'too-large'],
  ] as const;
  for (const [what, body, kind] of broken) {
    it(`${what} ends in a typed error`, async (t) => {
      const { client } = await makeWorld(t, { answer: () => ({ kind: 'raw', body }) }, { mostBytes: 10_000 });
      assert.equal((await faultOf(piecesOf(client.stream('s', 'u')))).kind, kind);
    });
  }

  it('is asked for again before its first piece, and may take no longer than the deadline', async (t) => {
    const { client } = await makeWorld(t, {
      answer: (_, nth) =>
        nth === 0 ? { kind: 'status', status: 503 } : { kind: 'text', text: 'word '.repeat(10_000) },
      tokenPause_ms: 5,
    });
    const fault = await faultOf(piecesOf(client.stream('s', 'u', { deadline_ms: 1_500 })));
    assert.deepEqual(fault, { kind: 'timeout', deadline_ms: 1_500 });
  });
});

describe('events', () => {
  it('are the same in whatever pieces they arrive, and however their lines end', async () => {
    const text = ': hello\ndata: {"a": "ü"}\n\nevent: x\ndata:one\ndata: two\n\ndata: half';
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat({ max: 80 }), { maxLength: 8 }),
        async (end, cuts) => {
          const bytes = Buffer.from(text.replaceAll('\n', end));
          const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
          const chunks = places.slice(1).map((place, at) => bytes.subarray(places[at], place));
          const found: string[] = [];
          for await (const data of eventData(each(chunks))) found.push(data);
          assert.deepEqual(found, ['{"a": "ü"}', 'one\ntwo']);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('JSON of an answer', () => {
  it('is what is in one fence around everything, and nothing else is cut away', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('```json\n', '```\n', '``` json\n', ''), (value, fence) => {
        const json = JSON.stringify(value);
        const text = fence === '' ? json : `${fence}${json}\n\`\`\``;
        if (fence === '``` json\n') assert.throws(() => jsonText(text), /something else than JSON/);
        else assert.deepEqual(JSON.parse(jsonText(text)), JSON.parse(json));
      }),
    );
  });
});

describe('a server that never comes to an end', () => {
  it('ends in a timeout at the deadline, or as cancelled, also where an answer ends with its connection', async (t) => {
    const server = createServer((_, response) => {
      // Neither a length nor chunks: how HTTP/1.0 answers.
      response.removeHeader('transfer-encoding');
      response.write(': ping\n\n');
    });
    const client = createSidecarLlmClient({ baseUrl: await listening(t, server), model: 'base', deadline_ms: 200 });
    const timeout = { kind: 'timeout', deadline_ms: 200 };
    assert.deepEqual(await faultOf(client.prompt('s', 'u')), timeout);
    assert.deepEqual(await faultOf(piecesOf(client.stream('s', 'u'))), timeout);
    const giveUp = new AbortController();
    server.once('request', () => setImmediate(() => giveUp.abort()));
    const call = { signal: giveUp.signal, deadline_ms: 60_000 };
    assert.deepEqual(await faultOf(piecesOf(client.stream('s', 'u', call))), { kind: 'cancelled' });
  });

  it('may be waited for without end', async (t) => {
    const { client } = await makeWorld(t, {}, { deadline_ms: Number.POSITIVE_INFINITY });
    assert.match(await client.prompt('s', 'u'), /./);
  });
});

describe('a server that says nothing', () => {
  it('does not hold a call beyond its deadline, nor the connection after it', async (t) => {
    const server = createServer(() => {});
    const url = await listening(t, server);
    const gone = new Promise((resolve) => server.once('connection', (socket) => socket.once('close', resolve)));
    const client = createSidecarLlmClient({ baseUrl: url, model: 'base', deadline_ms: 100 });
    assert.equal((await faultOf(client.prompt('s', 'u'))).kind, 'timeout');
    await gone;
  });
});

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield chunk;
}
