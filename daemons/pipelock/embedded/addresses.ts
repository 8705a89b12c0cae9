import { promises as dns, type LookupAddress } from 'node:dns';
import { BlockList, isIPv4, type LookupFunction } from 'node:net';
import { type AddressClass, addressClass } from '../../authority/address-class.ts';
import type { Host } from '../../authority/authority.ts';
import type { PipelockConfig } from '../pipelock-config.ts';
import { type Block, blocked } from './block.ts';
import { isListed } from './url-rules.ts';

/** Asks for all addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

/** The addresses of a host that may be dialled, all of them checked. */
export type Resolved =
  | { readonly ok: true; readonly addresses: readonly LookupAddress[] }
  | { readonly ok: false; readonly block: Block };

/** Finds and checks addresses. */
export type ResolveChecked = (host: Host) => Promise<Resolved>;

const RESOLVE_MS = 5_000;

const PUBLIC: ReadonlySet<AddressClass> = new Set(['public']);
/** Where a trusted name may lead: to a neighbour. None is at metadata of the cloud or another link-local address, whatever the name server says. */
const TRUSTED_WITH: ReadonlySet<AddressClass> = new Set(['public', 'private', 'shared', 'loopback']);

export const systemResolve: Resolve = (host) => dns.lookup(host, { all: true, order: 'verbatim' });

/**
 * A check against server-side request forgery that a name cannot change its mind about: a host is resolved once, every one of
 * its addresses must be allowed, and only those are dialled ({@link pinned}).
 */
export function addressChecker(config: PipelockConfig, resolve: Resolve = systemResolve): ResolveChecked {
  const exempt = new BlockList();
  for (const network of config.ssrf.ip_allowlist) {
    const [address = '', prefix = '0'] = network.split('/');
    exempt.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  const isExempt = (address: string) => exempt.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');

  return async ({ host, isAddress }) => {
    const found = isAddress ? [{ address: host, family: isIPv4(host) ? 4 : 6 }] : await resolved(host, resolve);
    if (typeof found === 'string') {
      return { ok: false, block: blocked('ssrf', `SSRF check failed: DNS resolution error for ${host}: ${found}`) };
    }
    const isTrusted = !isAddress && isListed(host, config.trusted_domains);
    const allowed = isTrusted ? TRUSTED_WITH : PUBLIC;
    const internal = found.find(({ address }) => !allowed.has(addressClass(address)) && !isExempt(address));
    if (internal === undefined) return { ok: true, addresses: found };
    const reason = `SSRF blocked: ${host} resolves to internal IP ${internal.address}`;
    return { ok: false, block: blocked('ssrf', reason) };
  };
}

/** A `lookup` for node:net that knows nothing but these addresses, so that what was checked is what is dialled. */
export function pinned(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family ?? 4);
  };
}

/** The addresses, or why there are none. */
async function resolved(host: string, resolve: Resolve): Promise<readonly LookupAddress[] | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((done) => {
    timer = setTimeout(() => done('timeout'), RESOLVE_MS);
  });
  try {
    const answer = await Promise.race([resolve(host), late]);
    return answer.length === 0 ? 'no address' : answer;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  } finally {
    clearTimeout(timer);
  }
}
