import { lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure, reasonOf } from './failure.ts';
import { paint, print } from './output.ts';
import { hint, wrong } from './parse.ts';
import { type Place, placeOf } from './proposals/place.ts';
import { whoami } from './proposals/terminal.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** What egress itself says: undefined where it does not answer. */
type Said = boolean | undefined;

/** The question broke off: a cutoff ends every connection, this one as well where it comes while egress is asked. */
const BROKEN_OFF = 'broken-off';

/** How long egress may take to see the file; it looks 40 times a second. */
const DEADLINE_MS = 2_000;
const LOOK_EVERY_MS = 20;
const MOST_BYTES = 65_536;

export async function cutoff({ values, names }: Arguments<Verbs['cutoff']>): Promise<ExitCode> {
  const [word = ''] = names;
  if (word !== 'on' && word !== 'off' && word !== 'status') {
    throw wrong(VERBS.cutoff, `"${word}" is not one of on, off, status${hint(word, ['on', 'off', 'status'])}`);
  }
  const place = placeOf(process.env);
  const file = join(place.data, 'egress', 'cutoff');
  if (word === 'on') write(file);
  if (word === 'off') remove(file);
  const isOn = isThere(file);
  const said = await askUntil(place, word === 'status' ? undefined : isOn);
  if (values.json) await print(`${JSON.stringify({ cutoff: isOn, file, egress: said ?? null })}\n`);
  else await print(`${describe(isOn, said, place)}\n`);
  return said === undefined || said === isOn ? EXIT.ok : EXIT.failed;
}

function write(file: string): void {
  try {
    writeFileSync(file, `${new Date().toISOString()} by ${whoami()}\n`, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    throw new Failure(EXIT.failed, `THE CUTOFF IS NOT ON: ${reasonOf(error)}; ${REMEDY}`);
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    throw new Failure(EXIT.failed, `the cutoff could not be lifted: ${reasonOf(error)}; ${REMEDY}`);
  }
}

const REMEDY = 'name the data directory of the bundle with BOTTLED_DATA, and run this as a user who may write there';

/** Throws where it cannot be looked for: whether it is on is then not known. */
function isThere(file: string): boolean {
  try {
    statSync(join(file, '..'));
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw new Failure(EXIT.failed, `it is not known whether the cutoff is on: ${reasonOf(error)}; ${REMEDY}`);
  }
}

function describe(isOn: boolean, said: Said, { egressPort }: Place): string {
  const what = isOn
    ? paint(['bold', 'red'], 'CUT OFF: nothing leaves this bottle')
    : paint('green', 'not cut off: routes decide what leaves this bottle');
  if (said === isOn) return what;
  const port = `EGRESS_PORT says ${egressPort}`;
  if (said === undefined) return `${what}; egress does not answer (${port}), and goes by this as soon as it runs`;
  return `${what}, as its file says, but egress says that it is ${said ? 'on' : 'off'} (${port}): it goes by other data`;
}

/** Asks until egress says `wanted`, or anything where that is undefined; in vain, what it said last. */
async function askUntil(place: Place, wanted: Said): Promise<Said> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const said = await ask(place);
    const isLast = performance.now() > deadline;
    if (said === BROKEN_OFF) {
      if (isLast) return undefined;
    } else if (said === undefined || wanted === undefined || said === wanted || isLast) return said;
    await pause(LOOK_EVERY_MS);
  }
}

function ask({ egressPort }: Place): Promise<Said | typeof BROKEN_OFF> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const asked = get({ host: '127.0.0.1', port: egressPort, path: '/__health', agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > MOST_BYTES) asked.destroy();
      });
      response.on('error', () => resolve(BROKEN_OFF));
      response.on('end', () => resolve(cutoffIn(text)));
    });
    asked.on('error', (error) => {
      resolve('code' in error && error.code === 'ECONNRESET' ? BROKEN_OFF : undefined);
    });
  });
}

function cutoffIn(text: string): Said {
  try {
    const value: unknown = JSON.parse(text);
    const said: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'cutoff') : undefined;
    return typeof said === 'boolean' ? said : undefined;
  } catch {
    return undefined;
  }
}
