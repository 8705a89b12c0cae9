import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import * as values from '../../config/values.ts';
import '../../compose/bottle/schema.ts';
import '../../daemons/git-gate/config/schema.ts';
import '../../daemons/mcp-bridge/config/schema.ts';
import '../../daemons/routes/schema.ts';
import '../../init/bundle/schema.ts';

test('what one key means stands at no other key that has the same kind of value', () => {
  for (const [name, value] of Object.entries(values)) {
    if (value instanceof z.core.$ZodType) assert.equal(z.globalRegistry.get(value)?.description, undefined, name);
  }
});
