import { parse } from 'yaml';
import * as z from 'zod/mini';
import { parseHost } from '../authority/authority.ts';

/** The hosts of pipelock.yaml as they are and as they are to be, one a line; or every fault as `line 3: …`. */
export type HostLists =
  | { readonly ok: true; readonly current: string; readonly proposed: string; readonly added: number }
  | { readonly ok: false; readonly faults: readonly string[] };

const MOST_HOSTS = 200;
const MOST_FAULTS = 20;

/**
 * Puts hosts behind those in `extra_hosts` of pipelock.yaml. `list` has one host a line; `#` begins a comment, and comments stay. A host
 * that is there already is left out.
 */
export function withHosts(file: string, list: string): HostLists {
  const known = extraHosts(file);
  if (known === undefined) return { ok: false, faults: [UNREADABLE] };
  const faults: string[] = [];
  const seen = new Set(known);
  const lines: string[] = [];
  for (const { host, comment, fault } of linesOf(list)) {
    if (fault !== undefined) faults.push(fault);
    else if (host === '' && comment !== '') lines.push(comment);
    else if (host !== '' && !seen.has(host)) {
      seen.add(host);
      lines.push(comment === '' ? host : `${host}  ${comment}`);
    }
  }
  const added = seen.size - known.length;
  if (faults.length > 0) return { ok: false, faults: faults.slice(0, MOST_FAULTS) };
  if (!/^\s*[^#\s]/m.test(list)) return { ok: false, faults: ['there is no host in it; write one a line'] };
  if (added > MOST_HOSTS) return { ok: false, faults: [`it has ${added} hosts; ${MOST_HOSTS} are the most`] };
  return { ok: true, current: asLines(known), proposed: asLines([...known, ...lines]), added };
}

/** The hosts of such a list without its comments, each once; or every fault. */
export function hostsIn(
  list: string,
):
  | { readonly ok: true; readonly hosts: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] } {
  const lines = linesOf(list);
  const faults = lines.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  if (faults.length > 0) return { ok: false, faults: faults.slice(0, MOST_FAULTS) };
  return { ok: true, hosts: [...new Set(lines.map(({ host }) => host).filter((host) => host !== ''))] };
}

/** `extra_hosts` of pipelock.yaml as such a list; undefined where the file cannot be read. */
export function hostListOf(file: string): string | undefined {
  const known = extraHosts(file);
  return known === undefined ? undefined : asLines(known);
}

interface Line {
  /** Empty where there is none, or a wrong one. */
  readonly host: string;
  /** With its `#`; empty where there is none. */
  readonly comment: string;
  readonly fault: string | undefined;
}

function linesOf(list: string): readonly Line[] {
  return list.split('\n').map((line, at) => {
    const [, written = '', comment = ''] = /^\s*([^#]*?)\s*(#.*)?$/.exec(line) ?? [];
    const host = written === '' ? '' : hostOf(written);
    const fault =
      host === undefined ? `line ${at + 1}: ${JSON.stringify(written.slice(0, 80))} ${NOT_A_HOST}` : undefined;
    return { host: host ?? '', comment: comment.trimEnd(), fault };
  });
}

const NOT_A_HOST =
  'is not a host; write a name (api.example.com) or all names below one (*.example.com), without scheme, port or path';
const UNREADABLE = 'pipelock.yaml as it is now cannot be read; only the operator can mend it';

/** In the form in which it is compared: lower case, punycode. Undefined where it is none. */
function hostOf(written: string): string | undefined {
  const isWildcard = written.startsWith('*.');
  const parsed = parseHost(isWildcard ? written.slice(2) : written);
  if (parsed === undefined || (isWildcard && (parsed.isAddress || !parsed.host.includes('.')))) return undefined;
  return isWildcard ? `*.${parsed.host}` : parsed.host;
}

const settings = z.nullish(z.looseObject({ extra_hosts: z.nullish(z.array(z.string())) }));

function extraHosts(file: string): readonly string[] | undefined {
  try {
    const parsed = settings.safeParse(parse(file));
    return parsed.success ? (parsed.data?.extra_hosts ?? []) : undefined;
  } catch {
    return undefined;
  }
}

function asLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
