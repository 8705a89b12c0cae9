import assert from 'node:assert/strict';
import { it } from 'node:test';
import { execa } from 'execa';

const LOG = new URL('../../../daemons/log/log.ts', import.meta.url).href;
const HOSTILE = 'GET /a\nerror: forged\r\u001b[2J\u009b31m\u0085\u2028"}\u0000';

/** What a daemon prints that logs this message with this LOG_FORMAT. */
async function printed(format: string, message: string): Promise<string> {
  const program = `import { createLog } from ${JSON.stringify(LOG)}; createLog('test')('warn', ${JSON.stringify(message)}, { event: 'e', path: ${JSON.stringify(message)} });`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', program], {
    env: { LOG_FORMAT: format },
  });
  return stdout;
}

it('text of an agent neither begins a line of a text log nor commands the terminal that shows it', async () => {
  assert.equal(
    await printed('text', HOSTILE),
    'warn: GET /a\\u000aerror: forged\\u000d\\u001b[2J\\u009b31m\\u0085\\u2028"}\\u0000',
  );
});

it('in a JSON log it stays inside its value', async () => {
  for (const format of ['json', '', 'TEXT', 'x\n']) {
    const line = await printed(format, HOSTILE);
    assert.equal(line.split('\n').length, 1);
    const { message, path, event } = JSON.parse(line);
    assert.deepEqual([message, path, event], [HOSTILE, HOSTILE, 'e']);
  }
});

it('a daemon that says one thing without end says it 600 times a minute, and then how often it did not', async () => {
  const program = `import { createLog } from ${JSON.stringify(LOG)};
    const log = createLog('test');
    for (let i = 0; i < 10_000; i += 1) log('warn', 'refused', { event: 'refused' });
    for (let i = 0; i < 1000; i += 1) log('info', 'passed', { event: 'passed' });
    log('error', 'other', { event: 'other' });`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', program], {
    env: { LOG_FORMAT: 'json' },
  });
  const lines: { event: string; of?: string; left_out?: number }[] = stdout.split('\n').map((line) => JSON.parse(line));
  const count = (event: string) => lines.filter((line) => line.event === event).length;
  assert.deepEqual([count('refused'), count('passed'), count('other')], [600, 1000, 1]);
  assert.deepEqual(
    lines.filter(({ event }) => event === 'lines-left-out').map(({ of, left_out }) => [of, left_out]),
    [['refused', 9400]],
  );
});
