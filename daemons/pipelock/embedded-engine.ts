import { formatProblem } from '../../config/problem.ts';
import type { Log } from '../log/log.ts';
import type { Scanner } from '../scanner/finding.ts';
import { loadStandInConfig } from './embedded/config.ts';
import { startStandIn } from './embedded/stand-in.ts';
import type { Engine } from './engine.ts';

/** The stand-in, inside this process. It ends only when it is stopped, with 0. */
export function embeddedEngine(scanner: Scanner, log: Log): Engine {
  return {
    kind: 'embedded',
    async check(file) {
      const loaded = await loadStandInConfig(file);
      return loaded.ok ? [] : loaded.problems.map(formatProblem);
    },
    async start(file) {
      const loaded = await loadStandInConfig(file);
      if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('; '));
      const standIn = await startStandIn({ config: loaded.value, scanner, log });
      const end = Promise.withResolvers<number>();
      return {
        ended: end.promise,
        async reload(_previous, next) {
          standIn.reload(next);
          return 'reloaded';
        },
        stop() {
          standIn
            .close()
            .then(() => scanner.close())
            .then(
              () => end.resolve(0),
              () => end.resolve(1),
            );
        },
      };
    },
  };
}
