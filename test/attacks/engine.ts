import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { makeBaseImages } from '../container/base-images.ts';
import { composeCommand } from '../container/engine.ts';

const DOCKERFILE = fileURLToPath(new URL('agent.Dockerfile', import.meta.url));

/** The image of the agent, and of all that is made up around a bottle: made once, known by its content. `BOTTLED_TEST_AGENT_IMAGE` names one to use as it is. */
export async function agentImage(): Promise<string> {
  const given = process.env.BOTTLED_TEST_AGENT_IMAGE ?? '';
  if (given !== '') return given;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { NODE_IMAGE } = await makeBaseImages(say);
  const dockerfile = readFileSync(DOCKERFILE);
  const hash = createHash('sha256').update(NODE_IMAGE).update(dockerfile).digest('hex').slice(0, 12);
  const tag = `bottled-attacks/agent:${hash}`;
  const { exitCode } = await execa('docker', ['image', 'inspect', tag], { reject: false });
  if (exitCode === 0) return tag;
  say(`making ${tag}`);
  const build = ['build', '--quiet', '--tag', tag, '--build-arg', `NODE_IMAGE=${NODE_IMAGE}`, '-'];
  await execa('docker', build, { input: dockerfile, timeout: 600_000 });
  return tag;
}

/** Docker Compose for the project in a directory: the plugin of docker, or the program. Rejects with what it said. */
export async function compose(directory: string, ...args: readonly string[]): Promise<string> {
  if (composeCommand === undefined) throw new Error('there is no Docker Compose here');
  const [program, ...first] = composeCommand;
  const { stdout } = await execa(program, [...first, '--file', join(directory, 'compose.yaml'), ...args], {
    timeout: 180_000,
  });
  return stdout;
}
