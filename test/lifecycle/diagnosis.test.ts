import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CauseKind } from '../../init/lifecycle/cause.ts';
import { diagnose, diagnoseSpawn } from '../../init/lifecycle/diagnosis.ts';

const AT_START = { outOfMemory: false, wasReady: false };

const STDERR: readonly { readonly code: number; readonly lines: readonly string[]; readonly kind: CauseKind }[] = [
  { code: 1, lines: ["a: /lib/libc.so.6: version `GLIBC_2.39' not found (required by a)"], kind: 'glibc-mismatch' },
  { code: 127, lines: ['Error relocating /app: __memcpy_chk: symbol not found'], kind: 'glibc-mismatch' },
  {
    code: 127,
    lines: ['a: error while loading shared libraries: libx.so.1: cannot open shared object file'],
    kind: 'missing-library',
  },
  {
    code: 127,
    lines: ['a: error while loading shared libraries: libx.so.1: wrong ELF class: ELFCLASS32'],
    kind: 'missing-library',
  },
  { code: 126, lines: ['sh: 1: ./a: Exec format error'], kind: 'wrong-architecture' },
  { code: 127, lines: ['sh: 1: nosuch: not found'], kind: 'not-found' },
  { code: 126, lines: ['sh: 1: ./a: Permission denied'], kind: 'not-executable' },
  {
    code: 1,
    lines: ['Error: listen EADDRINUSE: address already in use :::80', "  code: 'EADDRINUSE',"],
    kind: 'address-in-use',
  },
  { code: 1, lines: ['bind() to 0.0.0.0:80 failed (98: Address already in use)'], kind: 'address-in-use' },
  { code: 1, lines: ["open: EACCES: permission denied, '/data'"], kind: 'permission-denied' },
  { code: 1, lines: ['something else'], kind: 'exit-code' },
];

for (const { code, lines, kind } of STDERR) {
  test(`exit code ${code} after "${lines[0]}" is ${kind}, and says what was seen`, () => {
    const cause = diagnose({ ...AT_START, exit: { code }, lastLines: lines });
    assert.equal(cause.kind, kind);
    if (kind !== 'exit-code')
      assert.ok(cause.detail.includes(lines[0] ?? '') && cause.hint !== undefined, cause.detail);
  });
}

test('a library that could not be loaded for lack of memory or descriptors is not missing: a retry may mend it', () => {
  for (const why of [
    'libc.so.6: cannot open shared object file: Error 24',
    'libc.so.6: failed to map segment from shared object: Cannot allocate memory',
    'liba.so: Too many open files (needed by a)',
  ]) {
    const lastLines = [`a: error while loading shared libraries: ${why}`];
    assert.equal(diagnose({ ...AT_START, exit: { code: 127 }, lastLines }).kind, 'exit-code', why);
  }
});

test('a daemon that had been ready did not fail to load, whatever its last lines hold', () => {
  const lastLines = ['plugin: error while loading shared libraries: libx.so.1'];
  assert.equal(diagnose({ ...AT_START, wasReady: true, exit: { code: 1 }, lastLines }).kind, 'exit-code');
});

test('a death by signal is one, unless the kernel ran out of memory', () => {
  assert.equal(diagnose({ ...AT_START, exit: { signal: 'SIGSEGV' }, lastLines: ['EADDRINUSE'] }).kind, 'signal');
  assert.equal(
    diagnose({ ...AT_START, outOfMemory: true, exit: { signal: 'SIGKILL' }, lastLines: [] }).kind,
    'out-of-memory',
  );
});

test('an error at the start has the cause of its errno', () => {
  const kinds = ['ENOENT', 'EACCES', 'ENOEXEC', 'EPERM', 'EAGAIN'].map(
    (errno) => diagnoseSpawn({ errno, message: errno }).kind,
  );
  assert.deepEqual(kinds, ['not-found', 'not-executable', 'wrong-architecture', 'permission-denied', 'exit-code']);
});
