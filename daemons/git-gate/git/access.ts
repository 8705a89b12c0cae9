import { join } from 'node:path';
import { readTextFile } from '../../../config/files.ts';
import type { Repo } from '../config/load.ts';
import type { Settings } from '../settings.ts';
import { type Environment, gitEnvironment, withConfig } from './environment.ts';
import { faultOfIdentity, writeSsh } from './ssh.ts';

/** The environment for a git process that talks to upstream, or why upstream cannot be asked at all. */
export type UpstreamEnvironment =
  | {
      readonly ok: true;
      readonly env: Environment;
      /** What must appear in no message. */
      readonly secrets: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

/** Reads the secrets anew each time, so that a rotated one counts at once. */
export function upstreamEnvironment(settings: Settings, repo: Repo, extra: Environment = {}): UpstreamEnvironment {
  const { access, upstream } = repo;
  const base = { GIT_ALLOW_PROTOCOL: upstream.kind, ...extra };
  if (access.kind === 'file') return { ok: true, env: gitEnvironment(settings, base), secrets: [] };
  if (access.kind === 'ssh') {
    const fault = faultOfIdentity(settings, access);
    if (fault !== undefined) return { ok: false, reason: fault };
    return { ok: true, env: gitEnvironment(settings, { ...base, ...writeSsh(settings, repo, access) }), secrets: [] };
  }
  const caFile = access.caFile ?? settings.caFile;
  const config: [string, string][] = [
    // A redirect would carry the token to wherever it points.
    ['http.followRedirects', 'false'],
    ['http.proxy', ''],
    ...(caFile === undefined ? [] : [['http.sslCAInfo', caFile] satisfies [string, string]]),
  ];
  if (access.token === undefined)
    return { ok: true, env: gitEnvironment(settings, { ...base, ...withConfig(config) }), secrets: [] };
  const token = readToken(settings, access.token);
  if (!token.ok) return token;
  const basic = Buffer.from(`${access.tokenUser}:${token.value}`).toString('base64');
  config.push([`http.${repo.upstream.url}.extraHeader`, `Authorization: Basic ${basic}`]);
  const env = gitEnvironment(settings, { ...base, ...withConfig(config) });
  return { ok: true, env, secrets: [token.value, basic] };
}

function readToken(
  settings: Settings,
  name: string,
): { readonly ok: true; readonly value: string } | { readonly ok: false; readonly reason: string } {
  if (settings.credentials === undefined)
    return { ok: false, reason: 'CREDENTIALS_DIRECTORY is not set, so there is no token' };
  const file = readTextFile(join(settings.credentials, name));
  if (!file.ok) return { ok: false, reason: `the token file ${name} ${file.reason}` };
  const value = file.text.trim();
  if (/^[\x21-\x7e]{4,4096}$/.test(value)) return { ok: true, value };
  return { ok: false, reason: `the token file ${name} does not hold one token on one line` };
}
