import type { Log } from '../log/log.ts';
import type { Scanner } from '../scanner/finding.ts';
import { createScanner } from '../scanner/scanner.ts';
import { findSecondEngine, type SecondEngine } from '../scanner/second-engine.ts';
import { ownSecretsFile } from './own-secrets.ts';
import type { Settings } from './settings.ts';

/** What scans pushes. */
export interface GateScanner {
  readonly scanner: Scanner;
  readonly secondEngine: SecondEngine | undefined;
}

/** How long the scan of one file may take: the largest allowed one on a slow machine. */
const SCAN_MS = 60_000;
/** Beyond every `max_blob` that makes sense; the rule for sizes comes before the scan. */
const MOST_BYTES = 1024 ** 3;

/** The bundle's own scanner always, and a second engine where its program is installed. */
export function createGateScanner(settings: Settings, log: Log): GateScanner {
  const knownSecrets = [...settings.knownSecrets, ownSecretsFile(settings)];
  const scanner = createScanner({ knownSecrets, timeout_ms: SCAN_MS, mostBytes: MOST_BYTES });
  const secondEngine = findSecondEngine({ path: settings.path });
  const also =
    secondEngine === undefined
      ? 'by the scanner of the bundle'
      : `by the scanner of the bundle and by ${secondEngine.program}`;
  log('info', `pushes are scanned ${also}`, { event: 'scanner', second_engine: secondEngine?.name ?? 'none' });
  return { scanner, secondEngine };
}
