import { setTimeout as sleep } from 'node:timers/promises';
import { createAnswerReader } from './answer.ts';
import type { RequestsDone, RequestsTask } from './task.ts';
import { openTunnel } from './tunnel.ts';
import { createWindow } from './window.ts';

/** A body as a model API gets it, without anything that looks like a secret. */
const BODY = JSON.stringify({
  model: 'm-1',
  messages: [{ role: 'user', content: 'Say what is on the page. '.repeat(80) }],
});

/** Connections that send the next request as soon as the answer to the last one is there. */
export async function measureRequests(task: RequestsTask): Promise<RequestsDone> {
  const { method, connections, warm_ms, window_ms, originPort } = task;
  const request = Buffer.from(requestText(method, originPort));
  const window = createWindow();
  let total = 0;
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  for (let index = 0; index < connections; index += 1) {
    const socket = await Promise.race([openTunnel(task, 'http/1.1'), failed]);
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    const read = createAnswerReader(() => {
      total += 1;
      window.note(sentAt);
      send();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (error) {
        fail(error);
      }
    });
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('a connection was closed')));
    send();
  }
  await Promise.race([sleep(warm_ms), failed]);
  return { ...(await window.open(() => Promise.race([sleep(window_ms), failed]))), total };
}

function requestText(method: 'GET' | 'POST', port: number): string {
  const head = [
    `${method} /v1/small HTTP/1.1`,
    `Host: localhost:${port}`,
    'Connection: keep-alive',
    'User-Agent: agent/1.0 (linux; x64)',
    'Accept: application/json',
    'Accept-Encoding: identity',
    'X-Client-Version: 2026-11-20',
    'X-Client-Lang: js',
    ...(method === 'GET' ? [] : ['Content-Type: application/json', `Content-Length: ${BODY.length}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${method === 'GET' ? '' : BODY}`;
}
