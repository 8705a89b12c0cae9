import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { renderCompose } from '../../compose/compose/render.ts';
import { renderKubernetes } from '../../compose/kubernetes/render.ts';
import { renderSwarm } from '../../compose/swarm/render.ts';
import { composeCommand } from '../container/engine.ts';
import { planOfText, written } from './rendered.ts';

/** What YAML 1.1, YAML 1.2, Compose or Kubernetes would take for something else: types, marks, breaks of lines, variables. */
const TREACHEROUS = [
  ...[
    '0o17',
    '0x1F',
    '0b11',
    '1_000',
    '1:30',
    '0777',
    '1.10',
    '1e3',
    '.inf',
    '.NaN',
    '~',
    'null',
    'y',
    'on',
    '2001-01-01',
  ],
  ...[
    '$',
    '$$',
    `$${'{A}'}`,
    '$(A)',
    '<<',
    '=',
    '- x',
    '?',
    '!tag',
    '&a',
    '*a',
    '|',
    '>',
    '%x',
    '@x',
    '`x`',
    "'",
    '"',
    '\\',
  ],
  ...[
    'a #b',
    '# c',
    'a: b',
    '---',
    '...',
    'a\n---\nb',
    '{a: b}',
    '[a]',
    '',
    ' a',
    'a ',
    '\ta',
    'a\t',
    'a\\nb',
    'a\nb',
    'a\n ',
  ],
  ...[
    '\n',
    'a\r\nb',
    'a\rb',
    'a\u0085b',
    'a\u0085      EVIL_X: y',
    'a\u2028b',
    'a\u2029b',
    '\ufeffx',
    '\u007f',
    '\u001b[31m',
  ],
  ...['é', '漢字', '😀', '\u00a0', '\u200b', `${'x'.repeat(300)}\n${'y'.repeat(200)}`],
];

/** What no process can be given (a null character) is refused before. */
const TEXTS = [
  ...TREACHEROUS,
  ...fc.sample(fc.string({ unit: 'binary', maxLength: 30 }), { numRuns: 150, seed: 1 }),
].filter((text) => !text.includes('\0') && text.isWellFormed());

const VARIABLES = Object.fromEntries(TEXTS.map((text, index) => [`V${index}_X`, text]));
const plan = planOfText(
  stringify({ name: 'b', agent: { image: 'acme/agent', environment: VARIABLES, command: TEXTS } }),
);

/** Those of the agent, of all that it has. */
function own(environment: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => /^V\d+_X$|^EVIL/.test(name)));
}

describe('every text of a bottle', () => {
  it('reaches Docker Compose as it is written', {
    skip: composeCommand === undefined && 'there is no Docker Compose here',
  }, async (t) => {
    const directory = written(t, renderCompose(await plan));
    const [program = '', ...args] = composeCommand ?? [];
    const { stdout } = await execa(program, [...args, 'config', '--format', 'json'], {
      cwd: directory,
      env: { A: 'put in' },
    });
    const { agent } = JSON.parse(stdout).services;
    // "config" prints what could be read again, with "$$".
    const doubled = (text: string): string => text.replaceAll('$', '$$$$');
    assert.deepEqual(
      own(agent.environment),
      Object.fromEntries(TEXTS.map((text, index) => [`V${index}_X`, doubled(text)])),
    );
    assert.deepEqual(agent.command, TEXTS.map(doubled));
  });

  it('stands in no rendered file as what some reader of YAML takes for the end of a line, or refuses', async () => {
    for (const render of [renderCompose, renderSwarm, renderKubernetes]) {
      const [text = ''] = render(await plan).values();
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that must not stand there.
      assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/);
    }
  });
});
