import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { renderCompose } from '../../compose/compose/render.ts';
import { sealedFiles } from '../../compose/render.ts';
import { composeCommand } from '../container/engine.ts';
import { assertGolden, BOTTLES, planOfFile, ROOT } from './rendered.ts';

/**
 * What is rendered stands beside this file and is looked at when it changes. To write it anew: UPDATE_GOLDEN=1 node --test
 * test/compose/golden.test.ts
 */
const GOLDEN = join(ROOT, 'test/compose/golden');

const noCompose = composeCommand === undefined && 'there is no Docker Compose here';

for (const [name, file] of Object.entries(BOTTLES)) {
  for (const layout of ['bundle', 'split'] as const) {
    describe(`the ${name} bottle in the ${layout} layout`, () => {
      const directory = join(GOLDEN, name, layout);

      it('is rendered as it stands in golden/', async () => {
        const files = sealedFiles(renderCompose, await planOfFile(file, layout));
        assertGolden(directory, files);
      });

      it('is a Compose file to Docker Compose', { skip: noCompose }, async () => {
        const [program = '', ...args] = composeCommand ?? [];
        const main = join(directory, 'compose.yaml');
        const { exitCode, stderr } = await execa(program, [...args, '-f', main, 'config', '--quiet'], {
          reject: false,
        });
        assert.equal(`${exitCode} ${stderr}`, '0 ');
      });

      it('reaches the engine with every "$" of the bottle as it is written', { skip: noCompose }, async () => {
        if (name !== 'full') return;
        const [program = '', ...args] = composeCommand ?? [];
        const main = join(directory, 'compose.yaml');
        const { stdout } = await execa(program, [...args, '-f', main, 'config', '--format', 'json'], {
          env: { B: 'put in' },
        });
        const { agent } = JSON.parse(stdout).services;
        // "config" prints what could be read again, with "$$".
        assert.deepEqual(agent.entrypoint, ['/usr/bin/env', 'A=$$B']);
        assert.equal(agent.environment.PRICE, '$$5');
      });
    });
  }
}
