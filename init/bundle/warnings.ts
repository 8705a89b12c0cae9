import { formatDuration } from '../../config/duration.ts';
import { at, type Node, placeOf } from '../../config/node.ts';
import { type Finding, formatPath, type Path, quote } from '../../config/problem.ts';
import type { Bundle } from './schema.ts';
import { leavesOut, type Place } from './settle.ts';

/** What is allowed but hardly meant. */
export function warningsOf(bundle: Bundle, root: Node, place: Place): readonly Finding[] {
  return [
    ...exitCodeWarnings(bundle, root, place),
    ...graceWarnings(bundle, root),
    ...attemptsWarnings(bundle, root),
    ...tokenWarnings(bundle, root),
  ];
}

function warning(root: Node, path: Path, message: string, hint: string): Finding {
  return { offset: placeOf(root, path), path: formatPath(path), message, hint };
}

function exitCodeWarnings(bundle: Bundle, root: Node, place: Place): readonly Finding[] {
  if (!leavesOut(place, bundle.exit_code)) return [];
  return [
    warning(root, ['exit_code'], `${quote(bundle.exit_code)} names a daemon that does not run now`, '"worst" holds'),
  ];
}

function graceWarnings(bundle: Bundle, root: Node): readonly Finding[] {
  return Object.entries(bundle.daemons).flatMap(([name, spec]) => {
    const path = ['daemons', name, 'stop_grace_period'];
    if (spec.stop_grace_period <= bundle.stop_grace_period || at(root, path) === undefined) return [];
    const own = formatDuration(spec.stop_grace_period);
    const whole = formatDuration(bundle.stop_grace_period);
    return [
      warning(
        root,
        path,
        `${own} is longer than the ${whole} of the whole bundle`,
        'raise stop_grace_period at the top, too',
      ),
    ];
  });
}

function attemptsWarnings(bundle: Bundle, root: Node): readonly Finding[] {
  return Object.entries(bundle.daemons).flatMap(([name, spec]) => {
    const path = ['daemons', name, 'backoff', 'max_attempts'];
    if (!spec.restart.startsWith('on-failure:') || at(root, path) === undefined) return [];
    return [warning(root, path, `has no effect beside restart: ${quote(spec.restart)}`, 'leave one of them out')];
  });
}

const LOOPBACK = /^http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/i;

function tokenWarnings({ control: { listen, tokens } }: Bundle, root: Node): readonly Finding[] {
  return (['read', 'operate'] as const).flatMap((name) => {
    const path = ['control', 'tokens', name];
    const { file, environment, vault } = tokens?.[name] ?? {};
    const isSet = Boolean(file || environment || vault?.address);
    const findings: Finding[] = [];
    if (isSet && !listen) {
      findings.push(
        warning(root, path, 'has no effect without control.listen', 'say where to listen, or leave it out'),
      );
    }
    if (vault?.address.startsWith('http:') && !LOOPBACK.test(vault.address)) {
      const message = 'sends tokens over the network in clear text';
      findings.push(warning(root, [...path, 'vault', 'address'], message, 'use https'));
    }
    return findings;
  });
}
