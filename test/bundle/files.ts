import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { YamlText } from '../../config/node.ts';
import { readPlainYaml } from '../../config/plain-yaml.ts';
import { formatProblem } from '../../config/problem.ts';
import { readAnyYaml } from '../../config/yaml.ts';
import { checkBundle, type Loaded, loadBundle } from '../../init/bundle/load.ts';
import type { Bundle } from '../../init/bundle/schema.ts';

/** A directory of its own, removed when it goes out of scope. */
export function directory(): Disposable & {
  readonly path: string;
  write(name: string, content: string | Uint8Array): string;
} {
  const path = mkdtempSync(join(tmpdir(), 'bundle-'));
  return {
    path,
    write: (name, content) => {
      writeFileSync(join(path, name), content);
      return join(path, name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

type Options = Partial<Omit<Parameters<typeof checkBundle>[2], 'readFile'>> & {
  readonly files?: Record<string, string>;
};

/** As `readYaml`, at once. */
function readText(text: string): YamlText {
  const plain = readPlainYaml(text);
  return plain === undefined ? readAnyYaml(text) : { ok: true, root: plain, findings: [] };
}

/** Parses a text as `/etc/bundle.yaml`, beside which `files` stand by absolute path. */
export function parse(text: string, { files = {}, ...options }: Options = {}): Loaded {
  return checkBundle(text, readText(text), {
    file: '/etc/bundle.yaml',
    environment: {},
    readFile: (path) => {
      const found = files[path];
      return found === undefined
        ? { ok: false, fault: 'missing', reason: 'does not exist' }
        : { ok: true, text: found };
    },
    ...options,
  });
}

/** The bundle, or a failure of the test that says what is wrong. */
export function bundleOf(loaded: Loaded): Bundle {
  if (loaded.ok) return loaded.bundle;
  throw new Error(loaded.problems.map(formatProblem).join('\n'));
}

/** The problems as the user reads them, without the name of the file. */
export function problemsOf(loaded: Loaded): readonly string[] {
  if (loaded.ok) throw new Error('expected problems, and the bundle is valid');
  return loaded.problems.map((problem) =>
    formatProblem({ ...problem, file: problem.file.replace('/etc/bundle.yaml', '') }),
  );
}

export function load(path: string): Promise<Loaded> {
  return loadBundle({ file: path, environment: {} });
}
