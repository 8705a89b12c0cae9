import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const WORDS =
  'account action agent answer array batch body branch buffer cache call change channel check client clock code commit config connection content context count create cursor data date default delay delete entry error event field file filter find format frame group handler head header host import index input item join key label length level limit line list load local lock log map mark match merge message method mode model move name next node number object offset option order output owner page param parse part password path pattern peer place point policy port prefix process push queue range rate read reason record ref remote repo request reset result retry role root route rule scan schema scope secret select send server session set sign size slot source stage start state status step stop store stream string switch table tag target task text time timer token total trace tree type unit update upload user value version view wait watch window word work write'.split(
    ' ',
  );

/**
 * Writes `count` files of together `bytes` bytes below `directory`: what could be TypeScript, from a generator of its own, so that it
 * is the same each time and no two lines repeat for long. It holds words such as password and token, and no secret.
 */
export function writeSourceText(directory: string, count: number, bytes: number): void {
  const next = generator(20_261_120);
  for (let index = 0; index < count; index += 1) {
    const folder = join(directory, `part${index % 30}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `module${index}.ts`), fileText(Math.round(bytes / count), next));
  }
}

function fileText(length: number, next: (below: number) => number): string {
  const word = () => WORDS[next(WORDS.length)] ?? '';
  const title = () => {
    const one = word();
    return one.charAt(0).toUpperCase() + one.slice(1);
  };
  const name = () => `${word()}${title()}${next(4) === 0 ? next(1000) : ''}`;
  const phrase = (words: number) => Array.from({ length: words }, word).join(' ');
  const lines = [
    () => `import { ${name()}, ${name()} } from './${word()}-${word()}.ts';`,
    () => `  const ${name()} = await ${name()}(${name()}, '${phrase(1 + next(4))}', ${next(100_000)});`,
    () => `  // ${phrase(4 + next(10))}.`,
    () => `  if (${name()} !== undefined && ${name()}.${word()} > ${next(5000)}) return ${name()}(${name()});`,
    () => `export function ${name()}(${name()}: ${title()}, ${word()}: string): ${title()} {`,
    () => `    ${word()}: [${next(1 << 30)}, 0x${next(1 << 30).toString(16)}, '${phrase(2)}'],`,
    () => '}',
    () => '',
  ];
  const text: string[] = [];
  for (let written = 0; written < length; ) {
    const line = `${lines[next(lines.length)]?.() ?? ''}\n`;
    text.push(line);
    written += line.length;
  }
  return text.join('').slice(0, length);
}

/** Marsaglia's xorshift32. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
