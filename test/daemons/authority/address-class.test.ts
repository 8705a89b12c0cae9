import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AddressClass, addressClass } from '../../../daemons/authority/address-class.ts';

describe('the class of an address', () => {
  const EXAMPLES: Readonly<Record<AddressClass, readonly string[]>> = {
    public: [
      '8.8.8.8',
      '172.15.255.255',
      '172.32.0.0',
      '192.0.1.0',
      '100.63.255.255',
      '100.128.0.0',
      '2606:4700::1',
      '::ffff:8.8.8.8',
    ],
    unspecified: ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0'],
    loopback: [
      '127.0.0.1',
      '127.255.255.254',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '64:ff9b::127.0.0.1',
      '2002:7f00:1::1',
    ],
    private: [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      'fd12::1',
      'fc00::1',
      'fec0::1',
      '64:ff9b::a00:1',
      '64:ff9b:1::1',
      '2002:c0a8:101::',
      '::ffff:0:10.0.0.1',
    ],
    shared: ['100.64.0.1', '100.127.255.255'],
    'link-local': ['169.254.0.1', 'fe80::1', 'febf::1'],
    metadata: [
      '169.254.169.254',
      '169.254.170.2',
      '169.254.170.23',
      '100.100.100.200',
      '168.63.129.16',
      'fd00:ec2::254',
      'FD00:0EC2:0::254',
      '::ffff:a9fe:a9fe',
      '64:ff9b::169.254.169.254',
      '2002:a9fe:a9fe::',
    ],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    broadcast: ['255.255.255.255'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    benchmarking: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
    reserved: ['240.0.0.1', '192.0.0.1', '192.88.99.1', '::127.0.0.1', '100::1', '2001::1', '4000::1', '5f00::1'],
    invalid: ['', 'example.com', '1.2.3', '0x7f.1', '[::1]', 'fe80::1%eth0', '1::2::3', ' 8.8.8.8'],
  };
  for (const [kind, addresses] of Object.entries(EXAMPLES)) {
    for (const address of addresses)
      it(`${JSON.stringify(address)} is ${kind}`, () => assert.equal(addressClass(address), kind));
  }

  it('is never public for a private address, in whatever IPv6 form', () => {
    const list = new BlockList();
    for (const [net, length] of [
      ['10.0.0.0', 8],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['127.0.0.0', 8],
      ['169.254.0.0', 16],
      ['100.64.0.0', 10],
      ['0.0.0.0', 8],
      ['224.0.0.0', 3],
    ] as const) {
      list.addSubnet(net, length);
    }
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        if (!list.check(ip)) return;
        const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
        const words = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        for (const form of [
          ip,
          `::ffff:${ip}`,
          `::ffff:${words}`,
          `::${ip}`,
          `64:ff9b::${ip}`,
          `64:ff9b::${words}`,
          `2002:${words}::1`,
        ]) {
          assert.notEqual(addressClass(form), 'public', form);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not depend on the spelling of an IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const canonical = new URL(`http://[${ip}]/`).hostname.slice(1, -1);
        assert.equal(addressClass(ip), addressClass(canonical));
        assert.equal(addressClass(ip), addressClass(ip.toUpperCase()));
        assert.notEqual(addressClass(ip), 'invalid');
      }),
    );
  });

  it('is found for any text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof addressClass(text) === 'string'));
  });
});
