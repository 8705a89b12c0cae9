/**
 * Stand-ins for the base images of Dockerfile.sidecars, for machines that reach no registry of images: Debian by debootstrap,
 * the Node that runs this, npm of this machine, pipelock and gitleaks where they are installed. Run by itself, it prints the
 * build arguments, one a line. Needs root, an engine, debootstrap and a mirror of Debian.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const SCRIPT = fileURLToPath(import.meta.url);
const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** What debian:bookworm-slim leaves out. */
const LEFT_OUT = ['doc', 'info', 'locale', 'man'];
/** As in the images of Debian: apt keeps no packages and no lists in a quicker form. */
const KEEP_NOTHING = `Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
`;

/** Arguments for `docker build` that put the stand-ins in place of the images that a user pulls. */
export type BuildArguments = Readonly<
  Record<'NODE_IMAGE' | 'PIPELOCK_IMAGE' | 'GITLEAKS_IMAGE' | 'PIPELOCK_ENGINE', string>
>;

type Say = (line: string) => void;

/** Makes the stand-ins that are not there yet; `say` is told of each. */
export async function makeBaseImages(say: Say): Promise<BuildArguments> {
  const pipelock = findTool('pipelock');
  return {
    NODE_IMAGE: await makeNodeImage(say),
    PIPELOCK_IMAGE: await makeToolImage('pipelock', '/pipelock', pipelock, say),
    GITLEAKS_IMAGE: await makeToolImage('gitleaks', '/usr/bin/gitleaks', findTool('gitleaks'), say),
    PIPELOCK_ENGINE: pipelock === undefined ? 'auto' : 'pipelock',
  };
}

/** As `node:26-bookworm-slim`: Debian without documentation, node and npm in /usr/local, a user `node` with the number 1000. */
async function makeNodeImage(say: Say): Promise<string> {
  const npm = npmOfThisMachine();
  const settings = await npmSettings();
  const ingredients = [readFileSync(SCRIPT), process.version, npm.version, settings.npmrc, settings.authorities];
  return await makeImage('node', ingredients, say, async (root) => {
    const packages = join(CACHE, 'debootstrap');
    mkdirSync(packages, { recursive: true });
    await execa('debootstrap', [
      '--variant=minbase',
      '--include=libatomic1',
      `--cache-dir=${packages}`,
      SUITE,
      root,
      MIRROR,
    ]);
    const sources = [SUITE, `${SUITE}-updates`].map((suite) => `deb ${MIRROR} ${suite} main\n`);
    writeFileSync(join(root, 'etc/apt/sources.list'), sources.join(''));
    writeFileSync(join(root, 'etc/apt/apt.conf.d/docker-clean'), KEEP_NOTHING);
    const excluded = LEFT_OUT.map((name) => `path-exclude /usr/share/${name}/*\n`);
    writeFileSync(join(root, 'etc/dpkg/dpkg.cfg.d/slim'), excluded.join(''));
    const emptied = [...LEFT_OUT.map((name) => `usr/share/${name}`), 'var/cache/apt', 'var/lib/apt/lists', 'var/log'];
    for (const path of emptied) {
      rmSync(join(root, path), { recursive: true, force: true });
      mkdirSync(join(root, path));
    }
    await execa('chroot', [root, '/usr/sbin/useradd', '--create-home', '--uid', '1000', 'node']);
    const local = join(root, 'usr/local');
    cpSync(process.execPath, join(local, 'bin/node'));
    cpSync(npm.directory, join(local, 'lib/node_modules/npm'), { recursive: true });
    for (const name of ['npm', 'npx']) {
      symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
    }
    // In files of npm, so that no variable of this machine goes on into the image.
    mkdirSync(join(local, 'etc'), { recursive: true });
    writeFileSync(join(local, 'etc/npmrc'), settings.npmrc);
    writeFileSync(join(local, 'etc/npm-authorities.pem'), settings.authorities);
  });
}

/** As the official image of a tool that is one file. Where the tool is not there, its file is empty and cannot be executed. */
async function makeToolImage(name: string, path: string, file: string | undefined, say: Say): Promise<string> {
  if (file === undefined) say(`${name} is not installed here: the image is without it`);
  return await makeImage(name, [path, file === undefined ? 'absent' : readFileSync(file)], say, async (root) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if (file === undefined) writeFileSync(target, '', { mode: 0o644 });
    else cpSync(file, target, { dereference: true });
  });
}

/** The image with these ingredients: the one that is there, or one of the files that `fill` puts into an empty directory. */
async function makeImage(
  name: string,
  ingredients: readonly (string | Uint8Array)[],
  say: Say,
  fill: (root: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256');
  for (const ingredient of ingredients) hash.update(createHash('sha256').update(ingredient).digest());
  const tag = `bottled-stand-in/${name}:${hash.digest('hex').slice(0, 12)}`;
  const { exitCode } = await execa('docker', ['image', 'inspect', tag], { reject: false });
  if (exitCode === 0) return tag;
  say(`making ${tag}`);
  const scratch = mkdtempSync(join(tmpdir(), 'bottled-base-image-'));
  try {
    const root = join(scratch, 'root');
    mkdirSync(root, { mode: 0o755 });
    await fill(root);
    const archive = join(scratch, 'root.tar');
    await execa('tar', ['-C', root, '--numeric-owner', '-cf', archive, '.']);
    await execa('docker', ['import', archive, tag]);
    return tag;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function npmOfThisMachine(): { readonly directory: string; readonly version: string } {
  const found = findTool('npm');
  if (found === undefined) throw new Error('cannot make a base image with npm: there is no npm on PATH');
  const directory = dirname(dirname(realpathSync(found)));
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  return { directory, version: String(version) };
}

/** The registry, and whom to trust for it, as npm has them on this machine. */
async function npmSettings(): Promise<{ readonly npmrc: string; readonly authorities: string }> {
  const [registry = '', cafile = ''] = await Promise.all(
    ['registry', 'cafile'].map(async (key) => (await execa('npm', ['config', 'get', key])).stdout.trim()),
  );
  const file = cafile === 'null' ? (process.env.NODE_EXTRA_CA_CERTS ?? '') : cafile;
  const own = `registry=${registry}\n`;
  if (file === '') return { npmrc: own, authorities: '' };
  return { npmrc: `${own}cafile=/usr/local/etc/npm-authorities.pem\n`, authorities: readFileSync(file, 'utf8') };
}

/** A program on PATH, or among the tools that CI installs. */
function findTool(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), join(CACHE, 'tools')];
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === SCRIPT) {
  const made = await makeBaseImages((line) => process.stderr.write(`${line}\n`));
  for (const [name, value] of Object.entries(made)) process.stdout.write(`${name}=${value}\n`);
}
