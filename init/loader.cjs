// Loads the bundled file of the init, or that of all other verbs, with V8's code cache beside it: measured, that halves the
// time to the first spawn.
// Without a fitting cache (another Node, another processor) it is compiled as usual.
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');

const name = process.argv[2] === 'run' ? 'run' : 'bottled';
const file = `${__dirname}/${name}.cjs`;
const cache = `${__dirname}/${name}.cache`;
const building = process.env.BOTTLED_WRITE_CODE_CACHE === '1' && read(cache) === undefined;

// The bundle is ASCII: read so, it needs no decoding.
const script = new Script(readFileSync(file, 'latin1'), { filename: file, cachedData: read(cache) });
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, require, bundle, file, __dirname);
if (building) setImmediate(() => writeFileSync(cache, script.createCachedData()));

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
