import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Why containers cannot be started here; undefined where they can. */
export function whyNoDocker(): string | undefined {
  try {
    execFileSync('docker', ['info', '--format', '{{.ID}}'], { stdio: 'pipe', timeout: 5000 });
    return undefined;
  } catch {
    return 'no Docker engine runs here (docker info)';
  }
}

const PROGRAMS = ['sh', 'sleep', 'setsid'];

/** Makes an image of this machine's own sh, sleep and setsid, and the libraries that they need. */
export function makeImage(name: string): void {
  const root = mkdtempSync(join(tmpdir(), 'image-'));
  try {
    for (const folder of ['bin', 'tmp']) mkdirSync(join(root, folder));
    for (const program of PROGRAMS) {
      const path = realpathSync(execFileSync('sh', ['-c', 'command -v "$0"', program], { encoding: 'utf8' }).trim());
      cpSync(path, join(root, 'bin', program));
      for (const [library] of execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/\/\S+/g)) {
        mkdirSync(join(root, dirname(library)), { recursive: true });
        cpSync(realpathSync(library), join(root, dirname(library), basename(library)));
      }
    }
    const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 1024 ** 3 });
    execFileSync('docker', ['import', '-', name], { input: tar, stdio: 'pipe' });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export function removeImage(name: string): void {
  execFileSync('docker', ['rmi', '--force', name], { stdio: 'pipe' });
}
