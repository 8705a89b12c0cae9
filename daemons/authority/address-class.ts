import { isIPv4, isIPv6 } from 'node:net';

/**
 * What kind of place an IP address is. Only `public` ones are somewhere in the internet; `invalid` is no address at all, or one
 * with a zone.
 */
export type AddressClass =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'broadcast'
  | 'documentation'
  | 'benchmarking'
  | 'reserved'
  | 'invalid';

/**
 * The class of an IPv4 or IPv6 address (without brackets) by IANA's special-purpose address registries (RFC 6890, as of 2025). An
 * IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4) has the class of that one, since that is where it leads.
 */
export function addressClass(ip: string): AddressClass {
  if (isIPv4(ip)) return classOf(IPV4, IPV4_DEFAULT, numberOfIPv4(ip));
  if (!isIPv6(ip) || ip.includes('%')) return 'invalid';
  const address = numberOfIPv6(ip);
  const embedding = EMBEDDINGS.find((each) => isWithin(address, each.block));
  if (embedding === undefined) return classOf(IPV6, IPV6_DEFAULT, address);
  return classOf(IPV4, IPV4_DEFAULT, (address >> embedding.shift) & 0xffff_ffffn);
}

interface Block {
  readonly base: bigint;
  /** How many bits after the prefix are free. */
  readonly free: bigint;
}

interface ClassifiedBlock extends Block {
  readonly kind: AddressClass;
}

/** The first block that holds the address decides: single places stand before the blocks around them. */
function classOf(blocks: readonly ClassifiedBlock[], otherwise: AddressClass, address: bigint): AddressClass {
  return blocks.find((block) => isWithin(address, block))?.kind ?? otherwise;
}

function isWithin(address: bigint, { base, free }: Block): boolean {
  return address >> free === base >> free;
}

function numberOfIPv4(ip: string): bigint {
  return ip.split('.').reduce((number, part) => (number << 8n) | BigInt(part), 0n);
}

function numberOfIPv6(ip: string): bigint {
  const text = ip.replace(/[\d.]+$/, (tail) => (tail.includes('.') ? wordsOfIPv4(tail) : tail));
  const [head = '', tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((number, word) => (number << 16n) | BigInt(`0x${word}`), 0n);
}

function wordsOfIPv4(ip: string): string {
  const number = numberOfIPv4(ip);
  return `${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
}

function block4(cidr: string): Block {
  const [base = '', length = '32'] = cidr.split('/');
  return { base: numberOfIPv4(base), free: 32n - BigInt(length) };
}

function block6(cidr: string): Block {
  const [base = '', length = '128'] = cidr.split('/');
  return { base: numberOfIPv6(base), free: 128n - BigInt(length) };
}

function classified(block: (cidr: string) => Block, kind: AddressClass, ...cidrs: string[]): ClassifiedBlock[] {
  return cidrs.map((cidr) => ({ ...block(cidr), kind }));
}

const IPV4_DEFAULT = 'public';

/** Where clouds hand out credentials: most of them at the first; then Amazon ECS and EKS, Alibaba, Azure and Oracle. */
const METADATA_IPV4 = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
];

const IPV4: readonly ClassifiedBlock[] = [
  ...classified(block4, 'metadata', ...METADATA_IPV4),
  ...classified(block4, 'broadcast', '255.255.255.255'),
  ...classified(block4, 'unspecified', '0.0.0.0/8'),
  ...classified(block4, 'loopback', '127.0.0.0/8'),
  ...classified(block4, 'private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'),
  ...classified(block4, 'shared', '100.64.0.0/10'),
  ...classified(block4, 'link-local', '169.254.0.0/16'),
  ...classified(block4, 'documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'),
  ...classified(block4, 'benchmarking', '198.18.0.0/15'),
  ...classified(block4, 'multicast', '224.0.0.0/4'),
  ...classified(block4, 'reserved', '192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4'),
];

/** Only 2000::/3 is given out for global unicast; all else is special or yet without a use. */
const IPV6_DEFAULT = 'reserved';

const IPV6: readonly ClassifiedBlock[] = [
  ...classified(block6, 'metadata', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254'),
  ...classified(block6, 'unspecified', '::'),
  ...classified(block6, 'loopback', '::1'),
  ...classified(block6, 'private', 'fc00::/7', 'fec0::/10', '64:ff9b:1::/48'),
  ...classified(block6, 'link-local', 'fe80::/10'),
  ...classified(block6, 'multicast', 'ff00::/8'),
  ...classified(block6, 'documentation', '2001:db8::/32', '3fff::/20'),
  ...classified(block6, 'benchmarking', '2001:2::/48'),
  ...classified(block6, 'reserved', '2001::/23'),
  ...classified(block6, 'public', '2000::/3'),
];

/** IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052) and 6to4 (RFC 3056). */
const EMBEDDINGS: readonly { readonly block: Block; readonly shift: bigint }[] = [
  { block: block6('::ffff:0:0/96'), shift: 0n },
  { block: block6('::ffff:0:0:0/96'), shift: 0n },
  { block: block6('64:ff9b::/96'), shift: 0n },
  { block: block6('2002::/16'), shift: 80n },
];
