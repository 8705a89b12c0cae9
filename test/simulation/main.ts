import { parseArgs } from 'node:util';
import { huntAll } from './hunt.ts';
import { type Run, simulate, type TraceEntry } from './run.ts';
import { Violation } from './violation.ts';

const USAGE = `usage: npm run simulate -- [--runs N] [--from N]     run N seeds (default 20000), from this one on
       npm run simulate -- --seed N [--trace]       replay one; --trace prints all of it
       npm run simulate -- --mutants                break each rule of the policy on purpose and find it`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    console.error(USAGE);
    return 2;
  }
  if (options.mutants) return (await huntAll(console.log)) === 0 ? 0 : 1;
  if (options.seed !== undefined) return replay(options.seed, options.trace);
  return explore(options.from, options.runs);
}

function replay(seed: number, trace: boolean): number {
  const run = simulate(seed, trace);
  if (trace) console.log(run.trace.map(line).join('\n'));
  if (run.failure === undefined) {
    console.log(`seed ${seed}: ${run.steps} steps, every rule held`);
    return 0;
  }
  report(run);
  return 1;
}

function explore(from: number, runs: number): number {
  const startedAt = performance.now();
  let steps = 0;
  let toldAt = startedAt;
  for (let seed = from; seed < from + runs; seed++) {
    const run = simulate(seed);
    steps += run.steps;
    if (run.failure !== undefined) {
      report(run);
      return 1;
    }
    if (performance.now() - toldAt > 2_000) {
      toldAt = performance.now();
      console.log(`${seed - from + 1} of ${runs} seeds …`);
    }
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(
    `${runs} seeds from ${from}, ${steps} steps, every rule held; ${Math.round(runs / seconds)} seeds per second`,
  );
  return 0;
}

function report({ seed, steps, trace, failure }: Run): void {
  const isRule = failure instanceof Violation;
  console.error(`seed ${seed}, step ${steps}: ${isRule ? failure.message : (failure?.stack ?? 'failed')}`);
  console.error(`the last events:\n${trace.slice(-12).map(line).join('\n')}`);
  console.error(`replay: npm run simulate -- --seed ${seed} --trace`);
}

function line({ event, effects }: TraceEntry): string {
  const { at, type, ...rest } = event;
  const details = 'bundle' in rest ? `daemons ${Object.keys(rest.bundle.daemons).join(' ')}` : JSON.stringify(rest);
  return [`${at} ${type} ${details}`, ...effects.map((effect) => `    ${effectLine(effect)}`)].join('\n');
}

function effectLine(effect: TraceEntry['effects'][number]): string {
  const { type, ...rest } = effect;
  const { spec: _spec, ...shown } = 'spec' in rest ? rest : { ...rest, spec: undefined };
  return `${type} ${JSON.stringify(shown)}`;
}

function readOptions(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        runs: { type: 'string', default: '20000' },
        from: { type: 'string', default: '1' },
        trace: { type: 'boolean', default: false },
        mutants: { type: 'boolean', default: false },
      },
    });
    const [runs, from] = [Number(values.runs), Number(values.from)];
    const seed = values.seed === undefined ? undefined : Number(values.seed);
    if (![runs, from, seed ?? 0].every((number) => Number.isSafeInteger(number) && number >= 0)) return undefined;
    return { runs, from, seed, trace: values.trace, mutants: values.mutants };
  } catch {
    return undefined;
  }
}
