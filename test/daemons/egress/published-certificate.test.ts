import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { authorityOf } from './agent.ts';
import { startEgress } from './egress-process.ts';

const routes = 'routes: []\n';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'egress-certificate-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('EGRESS_CERTIFICATE_DIRECTORY', () => {
  it('holds the certificate to trust, readable by all, and nothing else', async () => {
    await using egress = await startEgress({ routes, env: { EGRESS_CERTIFICATE_DIRECTORY: directory } });
    assert.deepEqual(await readdir(directory), ['certificate.pem']);
    const file = join(directory, 'certificate.pem');
    assert.equal(await readFile(file, 'utf8'), await authorityOf(egress.port));
    assert.equal((await stat(file)).mode & 0o777, 0o644);
  });

  it('is given the new certificate where the authority has changed', async () => {
    const file = join(directory, 'certificate.pem');
    await writeFile(file, 'an old one');
    await writeFile(join(directory, '.certificate.pem.draft'), 'left behind');
    await using egress = await startEgress({ routes, env: { EGRESS_CERTIFICATE_DIRECTORY: directory } });
    assert.equal(await readFile(file, 'utf8'), await authorityOf(egress.port));
    assert.deepEqual(await readdir(directory), ['certificate.pem']);
  });

  it('that cannot be written ends egress before it is ready, with the reason', async () => {
    const missing = join(directory, 'missing');
    await using egress = await startEgress({ routes, env: { EGRESS_CERTIFICATE_DIRECTORY: missing } });
    assert.equal(await egress.ended(), 1);
    assert.match(egress.output(), /EGRESS_CERTIFICATE_DIRECTORY: the certificate cannot be put into .*missing: ENOENT/);
  });
});
