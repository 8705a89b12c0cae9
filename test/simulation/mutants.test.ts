import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeCatch, hunt } from './hunt.ts';
import { MUTANTS } from './mutants.ts';

describe('the simulation finds a policy that', { concurrency: 2 }, () => {
  for (const mutant of MUTANTS) {
    test(mutant.name, async () => {
      const result = await hunt(mutant);
      assert.equal(result.outcome, 'found', describeCatch(result, mutant));
    });
  }
});
