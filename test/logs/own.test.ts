import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwnLog } from '../../init/logs/own.ts';

test('in text the init names itself, then the daemon', () => {
  const lines: string[] = [];
  const log = createOwnLog({ format: 'text', width: 9, write: (line) => lines.push(line) });
  log('info', 'egress', 'starting → running (ready after 1s)', { pid: 7 });
  log('warn', undefined, 'the bundle ends');
  assert.deepEqual(lines, [
    'bottled   | egress: starting → running (ready after 1s)\n',
    'bottled   | the bundle ends\n',
  ]);
});

test('text that came from a daemon can neither forge a line nor move the cursor', () => {
  const lines: string[] = [];
  createOwnLog({ format: 'text', write: (line) => lines.push(line) })(
    'error',
    'egress',
    'bad\nbottled | all is well\x1b[1A\n',
  );
  assert.deepEqual(lines, ['bottled | egress: bad bottled | all is well [1A\n']);
});

test('in json a line has the shape of a daemon’s, with level and fields', async () => {
  const lines: string[] = [];
  const log = createOwnLog({ format: 'json', now: () => 0, write: (line) => lines.push(line) });
  log('info', 'egress', 'starting → running', { pid: 7 });
  log('error', undefined, 'a "quoted"\nword');
  await log.flush();
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      {
        level: 'info',
        time: '1970-01-01T00:00:00.000Z',
        daemon: 'egress',
        stream: 'bottled',
        pid: 7,
        message: 'starting → running',
      },
      {
        level: 'error',
        time: '1970-01-01T00:00:00.000Z',
        daemon: null,
        stream: 'bottled',
        message: 'a "quoted"\nword',
      },
    ],
  );
});

test('lines that come before the json writer is loaded keep their order and their time', async () => {
  const lines: string[] = [];
  let time = 1000;
  const log = createOwnLog({ format: 'json', now: () => time, write: (line) => lines.push(line) });
  log('info', undefined, 'first');
  time = 2000;
  log('info', undefined, 'second');
  assert.equal(lines.length, 0);
  time = 3000;
  await log.load();
  log('info', undefined, 'third');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ time, message }) => [time, message]),
    [
      ['1970-01-01T00:00:01.000Z', 'first'],
      ['1970-01-01T00:00:02.000Z', 'second'],
      ['1970-01-01T00:00:03.000Z', 'third'],
    ],
  );
});
