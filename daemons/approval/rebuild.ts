import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Approved } from './kinds.ts';
import { writeTarget } from './target-file.ts';

/**
 * Puts an approved Dockerfile into a folder of its own below `directory`, with a record of why it is there. The bundle does not rebuild
 * its agent: says what the operator has to do. The record comes last, so that its being there says that all is.
 */
export function handOver(directory: string, { id, wanted, by, reason }: Approved, now: Date): string {
  const folder = join(directory, id);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'Dockerfile');
  writeTarget(file, wanted);
  const record = { id, file, approved_by: by, reason, written: now.toISOString() };
  writeTarget(join(folder, 'record.json'), `${JSON.stringify(record, null, 2)}\n`);
  return `the Dockerfile is at ${file}; build the agent's image from it and start the bottle anew: docker build -f ${file} .`;
}
