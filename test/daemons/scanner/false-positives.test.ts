import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scanBytes } from '../../../daemons/scanner/scan.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

async function findingsIn(bytes: Buffer): Promise<readonly string[]> {
  const result = await scanBytes(bytes, [], 1e8);
  assert.ok(result.ok);
  return result.findings.map(({ rule, line }) => `${rule}:${line}`);
}

describe('nothing is found in', () => {
  const sets: Readonly<Record<string, readonly string[]>> = {
    'the type definitions of Node and TypeScript': [
      'node_modules/@types/node/*.d.ts',
      'node_modules/typescript/lib/*.d.ts',
    ],
    'the libraries that this program uses': [
      'node_modules/{zod,yaml,ws,pino,re2js,execa,fast-check}/**/*.{js,cjs,mjs,json,md}',
      'node_modules/esbuild/lib/*.js',
    ],
    'this program': ['{init,cli,healthcheck,config}/**/*.ts', 'package-lock.json'],
  };
  for (const [name, patterns] of Object.entries(sets)) {
    it(name, async () => {
      const found: string[] = [];
      for (const file of globSync([...patterns], { cwd: root })) {
        for (const finding of await findingsIn(readFileSync(`${root}/${file}`))) found.push(`${file} ${finding}`);
      }
      assert.deepEqual(found, []);
    });
  }

  it('random bytes, their base64 and their hex digits', async () => {
    const bytes = randomBytes(3_000_000);
    for (const form of [bytes, bytes.toString('base64'), bytes.toString('hex')]) {
      assert.deepEqual(await findingsIn(Buffer.from(form)), []);
    }
  });
});
