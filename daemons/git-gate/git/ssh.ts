import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostKey } from '../config/host-key.ts';
import type { Repo } from '../config/load.ts';
import type { Settings } from '../settings.ts';

/**
 * git runs this as its ssh (git(1), GIT_SSH). It is the same for every repository and holds no value: what differs
 * stands in a file that ssh itself reads, so that no name or path is ever in the hands of a shell.
 */
const SSH_PROGRAM = '#!/bin/sh\nexec ssh -F "$GIT_GATE_SSH_CONFIG" "$@"\n';

type Ssh = Extract<Repo['access'], { kind: 'ssh' }>;

/** Writes what ssh needs for one upstream, readable by this user only, and says how git is to find it. Throws on a full disk. */
export function writeSsh(settings: Settings, repo: Repo, access: Ssh): Readonly<Record<string, string>> {
  const folder = join(settings.data, 'ssh');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const program = join(folder, 'ssh');
  const config = join(folder, `${repo.name}.config`);
  const knownHosts = join(folder, `${repo.name}.known_hosts`);
  const alias = `git-gate-${repo.name}`.toLowerCase();
  put(program, SSH_PROGRAM, 0o500);
  put(knownHosts, knownHostsOf(alias, access.hostKeys), 0o600);
  put(config, sshConfig({ alias, knownHosts, identity: identityOf(settings, access), keys: access.hostKeys }), 0o600);
  return { GIT_SSH: program, GIT_SSH_VARIANT: 'ssh', GIT_GATE_SSH_CONFIG: config };
}

/** Why the private key cannot be used, as a sentence; undefined where it can. */
export function faultOfIdentity(settings: Settings, access: Ssh): string | undefined {
  const path = identityOf(settings, access);
  if (path === undefined) return undefined;
  try {
    const { mode, uid } = statSync(path);
    // The rule of ssh itself: a key of this user that others may read is ignored (ssh(1), "FILES").
    if (uid === process.getuid?.() && (mode & 0o077) !== 0)
      return `others may read the key ${path}; ssh wants: chmod 0400`;
    return undefined;
  } catch {
    return `there is no key ${path}`;
  }
}

function identityOf(settings: Settings, access: Ssh): string | undefined {
  if (access.identity === undefined) return undefined;
  return join(settings.credentials ?? '/nonexistent', access.identity);
}

function knownHostsOf(alias: string, keys: readonly HostKey[]): string {
  return keys.map(({ type, base64 }) => `${alias} ${type} ${base64}\n`).join('');
}

interface SshConfig {
  readonly alias: string;
  readonly knownHosts: string;
  readonly identity: string | undefined;
  readonly keys: readonly HostKey[];
}

/** ssh_config(5). The first value of a key counts, so nothing later can change one. */
function sshConfig({ alias, knownHosts, identity, keys }: SshConfig): string {
  const lines = [
    'Host *',
    `HostKeyAlias ${alias}`,
    `UserKnownHostsFile ${quoted(knownHosts)}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    `HostKeyAlgorithms ${algorithmsOf(keys).join(',')}`,
    'UpdateHostKeys no',
    'VerifyHostKeyDNS no',
    `IdentityFile ${identity === undefined ? 'none' : quoted(identity)}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    'PreferredAuthentications publickey',
    'BatchMode yes',
    'ConnectTimeout 10',
    'ServerAliveInterval 15',
    'ServerAliveCountMax 4',
    'ForwardAgent no',
    'ForwardX11 no',
    'ClearAllForwardings yes',
    'PermitLocalCommand no',
    'ControlMaster no',
    'ControlPath none',
    'CanonicalizeHostname no',
    'LogLevel ERROR',
  ];
  return `${lines.join('\n')}\n`;
}

/** Only what a pinned key can prove: else the host might offer another of its keys, which is then refused. */
function algorithmsOf(keys: readonly HostKey[]): readonly string[] {
  return [...new Set(keys.flatMap(({ type }) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type])))];
}

/** Settings refuse paths with quotes or backslashes; `%` begins a token there. */
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

function put(path: string, text: string, mode: number): void {
  try {
    chmodSync(path, 0o600);
  } catch {
    // It is not there yet.
  }
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, mode);
}
