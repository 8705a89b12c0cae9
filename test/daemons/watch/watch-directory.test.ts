import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { watchDirectoryOf } from '../../../daemons/watch/watch-directory.ts';

interface Watched extends AsyncDisposable {
  readonly root: string;
  readonly directory: string;
  readonly file: string;
  /** Resolves at the next change that is told. */
  changed(): Promise<unknown>;
}

async function watched(prepare: (directory: string) => Promise<void> = plainFile): Promise<Watched> {
  const root = await mkdtemp(join(tmpdir(), 'egress-watch-'));
  const directory = join(root, 'config');
  await mkdir(directory);
  await prepare(directory);
  const target = new EventTarget();
  const file = join(directory, 'routes.yaml');
  const stop = watchDirectoryOf(file, () => target.dispatchEvent(new Event('changed')));
  return {
    root,
    directory,
    file,
    changed: () => once(target, 'changed', { signal: AbortSignal.timeout(20_000) }),
    async [Symbol.asyncDispose]() {
      stop();
      await rm(root, { recursive: true });
    },
  };
}

async function plainFile(directory: string): Promise<void> {
  await writeFile(join(directory, 'routes.yaml'), 'one');
}

describe('a watched routes.yaml', () => {
  it('tells of a write in place', async () => {
    await using place = await watched();
    const changed = place.changed();
    await writeFile(place.file, 'two');
    await changed;
  });

  it('tells of a new file that is renamed over the old one, again and again', async () => {
    await using place = await watched();
    for (const content of ['two', 'three', 'four']) {
      const changed = place.changed();
      await writeFile(join(place.root, 'new'), content);
      await rename(join(place.root, 'new'), place.file);
      await changed;
    }
  });

  it("tells of a swap of Kubernetes' ..data link", async () => {
    await using place = await watched(async (directory) => {
      await mkdir(join(directory, '..one'));
      await writeFile(join(directory, '..one', 'routes.yaml'), 'one');
      await symlink('..one', join(directory, '..data'));
      await symlink('..data/routes.yaml', join(directory, 'routes.yaml'));
    });
    const changed = place.changed();
    await mkdir(join(place.directory, '..two'));
    await writeFile(join(place.directory, '..two', 'routes.yaml'), 'two');
    await symlink('..two', join(place.directory, '..data_tmp'));
    await rename(join(place.directory, '..data_tmp'), join(place.directory, '..data'));
    await changed;
  });

  it('tells of a file that comes into being, and of one that goes', async () => {
    await using place = await watched(async () => {});
    const came = place.changed();
    await writeFile(place.file, 'one');
    await came;
    const went = place.changed();
    await rm(place.file);
    await went;
  });

  it('tells of changes after its whole directory was replaced', async () => {
    await using place = await watched();
    const replaced = place.changed();
    await rename(place.directory, join(place.root, 'old'));
    await mkdir(place.directory);
    await writeFile(place.file, 'two');
    await replaced;
    const changed = place.changed();
    await writeFile(place.file, 'three');
    await changed;
  });

  it('tells of changes after its directory was removed and made again', async () => {
    await using place = await watched();
    const gone = place.changed();
    await rm(place.directory, { recursive: true });
    await gone;
    const back = place.changed();
    await mkdir(place.directory);
    await writeFile(place.file, 'two');
    await back;
  });

  it('tells less often than it is written to when writes follow one another closely', async () => {
    await using place = await watched();
    let told = 0;
    const stop = watchDirectoryOf(place.file, () => {
      told += 1;
    });
    const changed = place.changed();
    for (let at = 0; at < 20; at += 1) await writeFile(place.file, String(at));
    await changed;
    stop();
    assert.ok(told < 20, `told ${told} times`);
  });

  it('is not told of what happens to other files, nor kept waiting by them', async () => {
    await using place = await watched();
    let told = 0;
    const stop = watchDirectoryOf(place.file, () => {
      told += 1;
    });
    const changed = place.changed();
    const { promise: written, resolve } = Promise.withResolvers<void>();
    let writes = 0;
    const busy = setInterval(() => {
      writeFileSync(join(place.directory, 'other.log'), String(writes));
      writes += 1;
      // Of the last ones many more than a change takes until it is told.
      if (told > 0 && writes > 60) resolve();
    }, 10);
    try {
      await writeFile(place.file, 'two');
      await changed;
      await written;
      assert.equal(told, 1);
    } finally {
      clearInterval(busy);
      stop();
    }
  });
});
