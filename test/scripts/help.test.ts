import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));
/** Read in by the others. */
const SHARED = 'common.sh';

test('every script tells its usage, and does nothing then', async () => {
  for (const name of readdirSync(SCRIPTS).filter((file) => file !== SHARED)) {
    for (const option of ['--help', '-h']) {
      const { exitCode, stdout, stderr } = await execa(join(SCRIPTS, name), [option], { reject: false });
      assert.deepEqual([exitCode, stderr], [0, ''], `${name} ${option}`);
      assert.match(stdout, new RegExp(`^usage: ${name} \\S`));
    }
  }
});
