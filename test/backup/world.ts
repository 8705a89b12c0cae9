import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { bottled, type Ended, MAIN } from '../cli/bottled.ts';

/** A bundle that keeps data, without running it, in a directory of its own. */
export interface World {
  readonly directory: string;
  readonly data: string;
  readonly config: string;
  /** An archive that is not there yet. */
  readonly archive: string;
  write(path: string, text: string | Uint8Array, mode?: number): void;
  backup(...args: string[]): Promise<Ended>;
  /** Backs up to stdout, which is this file itself and no pipe to it. */
  backupTo(path: string): Ended;
  restore(...args: string[]): Promise<Ended>;
  /** The same as another user, who may go everywhere here. */
  as(uid: number): Pick<World, 'backup' | 'restore'>;
  /** Starts a verb, and does not wait for it. */
  start(...args: string[]): ChildProcess;
  /** A program that is found in place of another of this name. */
  replace(name: string, script: string): void;
}

const BUNDLE = `name: small
secrets:
  token: { file: secret/token }
  bare: { environment: BARE }
daemons:
  keeper:
    command: [keeper]
    purpose: Keeps.
    source: examples/keeper
    install: make install
    config: ["\${CONFIG}/keeper.yaml"]
    secrets: [token]
    data:
      - { path: "\${DATA}/kept", purpose: What is kept. }
      - { path: "\${DATA}/kept/cache", backup: disposable }
      - { path: "\${DATA}/mirror", backup: reproducible }
`;

/** Makes the bundle file, and nothing of its data. */
export function makeWorld(t: TestContext, bundle = BUNDLE): World {
  const directory = mkdtempSync(join(tmpdir(), 'backup-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [data, config, programs] = [join(directory, 'data'), join(directory, 'config'), join(directory, 'programs')];
  for (const each of [data, config, programs, join(directory, 'tmp'), join(directory, 'secret')]) mkdirSync(each);
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, bundle);
  writeFileSync(join(directory, 'secret', 'token'), 'hidden-from-all');
  const env = {
    DATA: data,
    CONFIG: config,
    BARE: 'bare',
    TMPDIR: join(directory, 'tmp'),
    PATH: `${programs}:${process.env.PATH}`,
    BOTTLED_SOCKET: join(directory, 'control.sock'),
    NO_COLOR: '1',
  };
  return {
    directory,
    data,
    config,
    archive: join(directory, 'archive.tar.zst'),
    write(path, text, mode = 0o640) {
      const full = join(data, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
      chmodSync(full, mode);
    },
    backup: (...args) => bottled(['backup', '-f', file, ...args], { env }),
    backupTo(path) {
      const stdout = openSync(path, 'w');
      const args = [MAIN, 'backup', '-f', file, '-o', '-'];
      const ended = spawnSync(process.execPath, args, { env, stdio: ['ignore', stdout, 'pipe'], encoding: 'utf8' });
      closeSync(stdout);
      return { exitCode: ended.status ?? undefined, stdout: '', stderr: ended.stderr };
    },
    restore: (...args) => bottled(['restore', '-f', file, ...args], { env }),
    as(uid) {
      for (const each of [directory, data]) chmodSync(each, 0o777);
      const user = { env, uid, gid: uid };
      return {
        backup: (...args) => bottled(['backup', '-f', file, ...args], user),
        restore: (...args) => bottled(['restore', '-f', file, ...args], user),
      };
    },
    start: (verb, ...args) => {
      const child = spawn(process.execPath, [MAIN, verb ?? '', '-f', file, ...args], { env, stdio: 'ignore' });
      t.after(() => child.kill('SIGKILL'));
      return child;
    },
    replace(name, script) {
      writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    },
  };
}

/** Everything below a directory: owner, mode and contents by path, as it has to be again. */
export function pictureOf(directory: string): Readonly<Record<string, string>> {
  const names = ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()];
  return Object.fromEntries(
    names.map((name) => {
      const path = join(directory, name);
      const found = lstatSync(path);
      const { uid, gid, mode } = found;
      const bytes = found.isFile() ? readFileSync(path).toString('base64') : '';
      const text = found.isSymbolicLink() ? readlinkSync(path) : bytes;
      return [name, `${uid}:${gid} ${mode.toString(8)} ${text}`];
    }),
  );
}

/** Waits for something that another process does. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resolves with how a process ended. */
export function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: string | null }> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}
