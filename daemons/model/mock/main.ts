import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseDuration } from '../../../config/duration.ts';
import { listen, portOf } from '../../listen/listen.ts';
import { createLog } from '../../log/log.ts';
import { createMockModel, type MockAnswer } from './server.ts';

const USAGE = `usage: mock [--host 127.0.0.1] [--port 8000] [--model NAME]… [--listen-after 2s] [--warm-up 3s]
            [--token-pause 50ms] [--answer TEXT] [--behaviour answer|status:503|drop|empty|malformed|silent]

A model server without a model, for tests and for a bottle without a GPU: /health, /v1/models and
/v1/chat/completions of the OpenAI API. It says the question back, or what --answer says.
`;

const EXIT_USAGE = 2;

const log = createLog('model-mock');

const options = readOptions();
if (options === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = EXIT_USAGE;
} else await run(options);

interface Options {
  readonly host: string;
  readonly port: number;
  readonly models: readonly string[];
  readonly listenAfter_ms: number;
  readonly warmUp_ms: number;
  readonly tokenPause_ms: number;
  readonly answer: MockAnswer | undefined;
}

/** Undefined where they cannot be read. */
function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8000' },
        model: { type: 'string', multiple: true, default: ['mock'] },
        'listen-after': { type: 'string', default: '0' },
        'warm-up': { type: 'string', default: '0' },
        'token-pause': { type: 'string', default: '0' },
        answer: { type: 'string' },
        behaviour: { type: 'string', default: 'answer' },
      },
    });
    const port = Number(values.port);
    const [listenAfter_ms, warmUp_ms, tokenPause_ms] = [
      parseDuration(values['listen-after']),
      parseDuration(values['warm-up']),
      parseDuration(values['token-pause']),
    ];
    const behaviour = behaviourOf(values.behaviour, values.answer);
    if (!Number.isInteger(port) || port < 0 || port > 65_535 || behaviour === undefined) return undefined;
    if (listenAfter_ms === undefined || warmUp_ms === undefined || tokenPause_ms === undefined) return undefined;
    return {
      host: values.host,
      port,
      models: values.model,
      listenAfter_ms,
      warmUp_ms,
      tokenPause_ms,
      answer: behaviour === 'plain' ? undefined : behaviour,
    };
  } catch {
    return undefined;
  }
}

function behaviourOf(name: string, answer: string | undefined): MockAnswer | 'plain' | undefined {
  const [, status] = /^status:([45]\d\d)$/.exec(name) ?? [];
  if (status !== undefined) return { kind: 'status', status: Number(status) };
  switch (name) {
    case 'answer':
      return answer === undefined ? 'plain' : { kind: 'text', text: answer };
    case 'drop':
      return { kind: 'drop', afterTokens: 3 };
    case 'malformed':
      return { kind: 'raw', body: '<html>' };
    case 'empty':
    case 'silent':
      return { kind: name };
    default:
      return undefined;
  }
}

async function run({ host, port, models, listenAfter_ms, warmUp_ms, tokenPause_ms, answer }: Options): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
  await pause(listenAfter_ms);
  const warmAt = performance.now() + warmUp_ms;
  const server = createMockModel({
    models,
    isWarm: () => performance.now() >= warmAt,
    tokenPause_ms,
    ...(answer === undefined ? {} : { answer: () => answer }),
  });
  await listen(server, host, port);
  const bound = portOf(server);
  log('info', `the mock of a model listens on port ${bound}; it serves ${models.join(', ')}`, {
    event: 'listening',
    port: bound,
    models,
  });
}
