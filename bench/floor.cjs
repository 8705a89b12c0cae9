/**
 * The floor: what bare Node can do, written for speed and nothing else. It spawns, prefixes whole lines, restarts at once
 * and stops. `node floor.cjs FILE`, FILE = JSON list of {name, command}.
 */
const { spawn } = require('node:child_process');
const { readFileSync, writeSync } = require('node:fs');

const running = new Set();
let stopping = false;

/** Latin-1 takes bytes in and gives the same bytes out, without the cost of decoding UTF-8. */
function forward(stream, prefix) {
  let rest = '';
  const separator = `\n${prefix}`;
  stream.setEncoding('latin1');
  stream.on('data', (chunk) => {
    const end = chunk.lastIndexOf('\n');
    if (end < 0) {
      rest += chunk;
      return;
    }
    writeSync(1, `${prefix}${rest}${chunk.slice(0, end).replaceAll('\n', separator)}\n`, null, 'latin1');
    rest = chunk.slice(end + 1);
  });
  stream.on('end', () => {
    if (rest !== '') writeSync(1, `${prefix}${rest}\n`, null, 'latin1');
  });
}

function start({ name, command }) {
  if (stopping) return;
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  forward(child.stdout, `${name} | `);
  forward(child.stderr, `${name} | `);
  child.on('error', (error) => writeSync(2, `${name}: ${error.message}\n`));
  child.on('exit', () => {
    running.delete(child);
    // Not here and now: daemons that exit at once would keep libuv in this callback, and no pipe would be read any more.
    setImmediate(start, { name, command });
  });
}

function stop() {
  stopping = true;
  for (const child of running) child.kill('SIGTERM');
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
for (const daemon of JSON.parse(readFileSync(process.argv[2], 'utf8'))) start(daemon);
