// Builds dist/: the init and the command in a file each, V8's code cache for them, the loader, and the native part of koffi for
// this machine; and each daemon in a file of its own.
// Plain JavaScript, since `npm ci` may run it with an older Node than the one that it installs.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
/** zod brings its messages in fifty languages; ours are our own. */
const withoutLocales = {
  name: 'without-locales',
  setup(build) {
    build.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
  },
};
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

await build({
  entryPoints: { run: join(root, 'cli/main-run.ts'), bottled: join(root, 'cli/main.ts') },
  outdir: dist,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node26',
  minify: true,
  // The loader runs the bundle as a script, in which import() of Node's own modules does not work; require() does.
  supported: { 'dynamic-import': false },
  external: ['koffi'],
  plugins: [withoutLocales],
  define: { 'process.env.BOTTLED_VERSION': JSON.stringify(version) },
  legalComments: 'external',
  logLevel: 'warning',
  // Where there is no import.meta, koffi is looked for beside the bundle.
  logOverride: { 'empty-import-meta': 'silent' },
});

await build({
  entryPoints: {
    pipelock: join(root, 'daemons/pipelock/main.ts'),
    egress: join(root, 'daemons/egress/main.ts'),
    'git-gate': join(root, 'daemons/git-gate/main.ts'),
    'mcp-bridge': join(root, 'daemons/mcp-bridge/main.ts'),
    supervise: join(root, 'daemons/supervise/main.ts'),
    'scanner-worker': join(root, 'daemons/scanner/worker.ts'),
    'model-mock': join(root, 'daemons/model/mock/main.ts'),
  },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  minify: true,
  // Packages that are CommonJS ask for Node's own modules by require(). A SIGHUP that comes before a daemon has read anything
  // asks for nothing, and must not end it.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); process.on('SIGHUP', () => {});",
  },
  plugins: [withoutLocales],
  define: { 'process.env.BOTTLED_VERSION': JSON.stringify(version) },
  legalComments: 'external',
  logLevel: 'warning',
});

for (const name of ['run', 'bottled']) wrap(join(dist, `${name}.cjs`));
copyFileSync(join(root, 'init/loader.cjs'), join(dist, 'main.cjs'));
copyFileSync(koffi(), join(dist, 'koffi.node'));
writeCodeCaches();

/** Makes the bundle one function, as Node does with every CommonJS file, so that the loader has nothing to put together. */
function wrap(file) {
  writeFileSync(file, `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`);
}

/** The native part of koffi for this machine's processor and C library. */
function koffi() {
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'linux';
  const packaged = join(root, `node_modules/@koromix/koffi-linux-${process.arch}`);
  const folder = readdirSync(packaged).find((name) => name.startsWith(`${libc}_`));
  if (folder === undefined) throw new Error(`koffi has no build for ${process.arch} with ${libc}`);
  return join(packaged, folder, 'koffi.node');
}

/** Runs a small bundle once and looks at it once, so that the caches hold the functions that this needs, compiled. */
function writeCodeCaches() {
  const scratch = mkdtempSync(join(tmpdir(), 'bottled-build-'));
  const bottled = (...args) =>
    execFileSync(join(root, 'bin/bottled'), args, {
      env: { ...process.env, BOTTLED_WRITE_CODE_CACHE: '1' },
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 60_000,
    });
  try {
    const bundle = join(scratch, 'bundle.yaml');
    writeFileSync(
      bundle,
      'daemons:\n  warm-up: { command: ["true"], healthcheck: { tcp: { port: 1 } } }\n  after: { command: ["true"], depends_on: [warm-up] }\n',
    );
    bottled('run', '-f', bundle, '--socket', join(scratch, 'control.sock'));
    bottled('check', bundle);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
