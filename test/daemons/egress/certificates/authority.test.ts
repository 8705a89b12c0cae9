import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { execa } from 'execa';
import {
  type CertificateAuthority,
  openCertificateAuthority,
} from '../../../../daemons/egress/certificate-authority.ts';

const hour_ms = 3_600_000;

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'authority-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const mode = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

/** The leaf that a TLS client is shown. */
function leaf(ca: CertificateAuthority, host: string): X509Certificate {
  return new X509Certificate(ca.credentialsFor(host).cert);
}

test('an authority is made once, in the directory that is named, readable by its user only', async (t) => {
  const directory = join(await temporary(t), 'deep', 'ca');
  const first = await openCertificateAuthority(directory);
  assert.deepEqual((await readdir(directory)).sort(), ['certificate.pem', 'key.pem']);
  assert.equal(await mode(directory), 0o700);
  assert.equal(await mode(join(directory, 'key.pem')), 0o600);
  assert.equal(await mode(join(directory, 'certificate.pem')), 0o644);
  assert.equal(await readFile(first.certificateFile, 'utf8'), first.certificate);
  const again = await openCertificateAuthority(directory);
  assert.equal(again.fingerprint, first.fingerprint);
  const der = new X509Certificate(first.certificate).raw;
  assert.equal(first.fingerprint.replaceAll(':', '').toLowerCase(), createHash('sha256').update(der).digest('hex'));
});

test('HOME has no say in where the authority is', async (t) => {
  const root = await temporary(t);
  const directory = join(root, 'ca');
  const module = join(import.meta.dirname, '../../../../daemons/egress/certificate-authority.ts');
  const script = `import { openCertificateAuthority } from ${JSON.stringify(module)};
    console.log((await openCertificateAuthority(${JSON.stringify(directory)})).fingerprint);`;
  const prints = new Set<string>();
  for (const home of ['/root', join(root, 'home'), '/nonexistent']) {
    const { stdout } = await execa(process.execPath, ['--input-type=module-typescript', '-e', script], {
      env: { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
      cwd: root,
    });
    prints.add(stdout);
  }
  assert.equal(prints.size, 1);
  assert.deepEqual(await readdir(root), ['ca']);
  await assert.rejects(openCertificateAuthority('relative/ca'), /is not absolute; give the whole path/);
});

test('daemons that start at once agree on one authority', async (t) => {
  const directory = join(await temporary(t), 'ca');
  const all = await Promise.all(Array.from({ length: 10 }, () => openCertificateAuthority(directory)));
  assert.equal(new Set(all.map(({ fingerprint }) => fingerprint)).size, 1);
  assert.deepEqual((await readdir(directory)).sort(), ['certificate.pem', 'key.pem']);
});

test('openssl takes the authority and its leaves: names, IPv4, IPv6, hosts longer than a common name', async (t) => {
  const directory = await temporary(t);
  const ca = await openCertificateAuthority(join(directory, 'ca'));
  const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
  for (const [host, option] of [
    ['api.example.com', '-verify_hostname'],
    ['xn--bcher-kva.example', '-verify_hostname'],
    [long, '-verify_hostname'],
    ['192.0.2.7', '-verify_ip'],
    ['2001:db8::7', '-verify_ip'],
    ['::ffff:192.0.2.1', '-verify_ip'],
    ['::1', '-verify_ip'],
  ] as const) {
    const file = join(directory, 'leaf.pem');
    await writeFile(file, ca.credentialsFor(host).cert);
    const verify = [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      ca.certificateFile,
      option,
      host,
      file,
    ];
    const { stdout } = await execa('openssl', verify);
    assert.match(stdout, /: OK$/, host);
    assert.equal(leaf(ca, host).verify(new X509Certificate(ca.certificate).publicKey), true);
  }
  const { stdout } = await execa('openssl', ['x509', '-in', ca.certificateFile, '-noout', '-text']);
  assert.match(stdout, /CA:TRUE, pathlen:0/);
  assert.match(stdout, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
  assert.match(stdout, /prime256v1/);
});

test('a leaf is for one host, no authority, and cannot sign', async (t) => {
  const ca = await openCertificateAuthority(join(await temporary(t), 'ca'));
  const certificate = leaf(ca, 'api.example.com');
  assert.equal(certificate.ca, false);
  assert.equal(certificate.checkHost('api.example.com'), 'api.example.com');
  assert.equal(certificate.checkHost('example.com'), undefined);
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.equal(leaf(ca, '192.0.2.7').checkIP('192.0.2.7'), '192.0.2.7');
});

test('a certificate is made once for a host, kept for the thousand asked for last, and made anew before it ends', async (t) => {
  let now = Date.now();
  const ca = await openCertificateAuthority(join(await temporary(t), 'ca'), () => now);
  const first = ca.contextFor('a.example');
  assert.equal(ca.contextFor('a.example'), first);
  for (let i = 0; i < 999; i += 1) ca.contextFor(`h${i}.example`);
  assert.equal(ca.contextFor('a.example'), first, 'asked for again, so kept');
  for (let i = 0; i < 1000; i += 1) ca.contextFor(`i${i}.example`);
  const second = ca.contextFor('a.example');
  assert.notEqual(second, first, 'a thousand others were asked for since');
  const ends = leaf(ca, 'a.example').validToDate.getTime();
  now = ends - 13 * hour_ms;
  assert.equal(ca.contextFor('a.example'), second);
  now = ends - 11 * hour_ms;
  assert.notEqual(ca.contextFor('a.example'), second);
  assert.ok(leaf(ca, 'a.example').validToDate.getTime() > ends);
});

test('serial numbers do not repeat', async (t) => {
  const ca = await openCertificateAuthority(join(await temporary(t), 'ca'));
  const serials = new Set(Array.from({ length: 200 }, (_, i) => leaf(ca, `h${i}.example`).serialNumber));
  assert.equal(serials.size, 200);
});

test('a TLS client that trusts the authority trusts a leaf', async (t) => {
  const ca = await openCertificateAuthority(join(await temporary(t), 'ca'));
  const server = createServer({ SNICallback: (name, done) => done(null, ca.contextFor(name)) }, (socket) =>
    socket.end('hi'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = connectTcp(port, '127.0.0.1');
    const client = connect({ socket, servername: 'api.example.com', ca: ca.certificate, maxVersion });
    await once(client, 'secureConnect');
    assert.equal(client.authorized, true);
    client.destroy();
  }
});

const refusals: readonly (readonly [name: string, spoil: (directory: string) => Promise<void>, says: RegExp])[] = [
  [
    'a key that others can read',
    (d) => chmod(join(d, 'key.pem'), 0o640),
    /key\.pem can be read by others \(mode 0640\); .*chmod 0600/,
  ],
  ['a directory that others can write', (d) => chmod(d, 0o777), /can be written by others \(mode 0777\).*chmod 0700/],
  [
    'a key that is none',
    (d) => writeFile(join(d, 'key.pem'), 'gibberish'),
    /key\.pem is not a P-256 private key in PEM/,
  ],
  [
    'a certificate that is none',
    (d) => writeFile(join(d, 'certificate.pem'), 'x'),
    /certificate\.pem is not a certificate in PEM/,
  ],
  [
    'a certificate without its key',
    (d) => rm(join(d, 'key.pem')),
    /key\.pem is missing but .*certificate\.pem is there/,
  ],
  [
    'a key that does not fit',
    async (d) => {
      const other = join(d, 'other');
      await openCertificateAuthority(other);
      await writeFile(join(d, 'key.pem'), await readFile(join(other, 'key.pem')));
    },
    /key\.pem does not fit .*certificate\.pem/,
  ],
  [
    'a leaf in place of the authority',
    async (d) => {
      const ca = await openCertificateAuthority(d);
      const { cert, key } = ca.credentialsFor('a.example');
      await writeFile(join(d, 'certificate.pem'), cert);
      await writeFile(join(d, 'key.pem'), key);
    },
    /certificate\.pem is not a valid authority any more/,
  ],
  [
    'a link in place of the key',
    async (d) => {
      await writeFile(join(d, 'elsewhere'), await readFile(join(d, 'key.pem')), { mode: 0o600 });
      await rm(join(d, 'key.pem'));
      await symlink(join(d, 'elsewhere'), join(d, 'key.pem'));
    },
    /key\.pem is not a regular file/,
  ],
];

test('an authority that may be known to others, or is broken, is refused with a remedy', async (t) => {
  for (const [name, spoil, says] of refusals) {
    await t.test(name, async (inner) => {
      const directory = join(await temporary(inner), 'ca');
      await openCertificateAuthority(directory);
      await spoil(directory);
      await assert.rejects(openCertificateAuthority(directory), (error: Error) => {
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /\n|PRIVATE KEY|gibberish/);
        return true;
      });
    });
  }
});

test('an authority that is over is refused; a certificate that is gone is made anew from the key', async (t) => {
  const directory = join(await temporary(t), 'ca');
  await openCertificateAuthority(directory);
  const later = Date.now() + 11 * 365 * 24 * hour_ms;
  await assert.rejects(
    openCertificateAuthority(directory, () => later),
    /not a valid authority any more; remove it/,
  );
  await rm(join(directory, 'certificate.pem'));
  const renewed = await openCertificateAuthority(directory, () => later);
  assert.ok(new X509Certificate(renewed.certificate).validToDate.getTime() > later);
});

test('what a crash left half made does not get in the way', async (t) => {
  const directory = join(await temporary(t), 'ca');
  await mkdir(directory, { mode: 0o700 });
  await writeFile(join(directory, 'key.pem.0123456789ab.draft'), '');
  const ca = await openCertificateAuthority(directory);
  assert.match(ca.fingerprint, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
});
