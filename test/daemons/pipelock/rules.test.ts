import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { serverName } from '../../../daemons/pipelock/embedded/client-hello.ts';
import { parseDestination } from '../../../daemons/pipelock/embedded/destination.ts';
import { rateLimit } from '../../../daemons/pipelock/embedded/rate.ts';
import { checkUrl, isListed } from '../../../daemons/pipelock/embedded/url-rules.ts';
import { configWith } from './stand-in.ts';

describe('the rules of the stand-in for a URL', () => {
  it('a pattern is every name below a domain, and the domain', () => {
    for (const host of ['example.com', 'a.example.com', 'a.b.example.com'])
      assert.ok(isListed(host, ['*.example.com']));
    for (const host of ['badexample.com', 'example.com.evil.com', 'com']) assert.ok(!isListed(host, ['*.example.com']));
    assert.ok(!isListed('a.example.com', ['example.com']));
  });

  it('spellings of one host are one host', () => {
    const config = configWith({ extra_hosts: ['example.com'] });
    for (const url of [
      'http://EXAMPLE.com/',
      'http://example.com./',
      'http://example.com:80/',
      'https://ｅxample.com/x',
    ]) {
      const destination = parseDestination(url);
      assert.ok(destination, url);
      assert.equal(checkUrl(destination, config), undefined, url);
    }
  });

  it('what names no one place is no destination', () => {
    for (const url of [
      'http://a@b/',
      'http://a\\b/',
      'http:/x',
      'file:///x',
      'http://a b/',
      'http://[::1',
      'http://a/#x',
      '',
    ]) {
      assert.equal(parseDestination(url), undefined, url);
    }
  });

  it('no URL at all makes it throw', () => {
    const config = configWith({});
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `http://${text}`),
        ),
        (url) => {
          const destination = parseDestination(url);
          if (destination !== undefined) checkUrl(destination, config);
        },
      ),
    );
  });
});

describe('the rate limit of the stand-in', () => {
  it('lets as many pass in a minute as it says, and names of one domain share', () => {
    let now = 0;
    const within = rateLimit(10, () => now);
    const passed = () => Array.from({ length: 30 }, (_, i) => within(`h${i % 3}.example.com`)).filter(Boolean).length;
    assert.equal(passed(), 10);
    assert.equal(within('example.org'), true);
    now = 60_000;
    assert.equal(passed(), 0, 'the minute before still counts');
    now = 90_000;
    assert.equal(passed(), 5, 'half of it');
    now = 300_000;
    assert.equal(passed(), 10);
  });
});

describe('the server name in a TLS handshake', () => {
  it('is read from what a real client sends, however it is cut', async () => {
    const hello = await realHello('api.example.com');
    assert.deepEqual(serverName(hello), { kind: 'name', name: 'api.example.com' });
    for (let length = 0; length < hello.length; length++)
      assert.equal(serverName(hello.subarray(0, length)).kind, 'more');
  });

  it('no bytes make it throw, and none that are no handshake have a name', async () => {
    const hello = await realHello('api.example.com');
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(hello);
        changed[at] = byte;
        serverName(changed);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => serverName(Buffer.from(bytes)).kind !== 'name'),
    );
  });
});

/** The first bytes that Node sends for a name. */
function realHello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes: Buffer) => {
        resolve(bytes);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      connect({ port, host: '127.0.0.1', servername }).on('error', () => {});
    });
  });
}
