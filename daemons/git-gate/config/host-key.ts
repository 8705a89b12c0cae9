/** A pinned key of a host: its type and its base64, as in known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
export interface HostKey {
  readonly type: string;
  readonly base64: string;
}

export type ParsedHostKeys =
  | { readonly ok: true; readonly keys: readonly HostKey[] }
  | { readonly ok: false; readonly message: string };

const TYPE =
  /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;
const BASE64 = /^[A-Za-z0-9+/]{32,4096}={0,2}$/;

/**
 * Reads lines of known_hosts, with or without the column of hosts: `ssh-keyscan HOST` prints the one, a `.pub` file the
 * other. A line that names other hosts than `host` is refused, since it was meant for another place. Messages never
 * repeat the value.
 */
export function parseHostKeys(text: string, host: string, port: number): ParsedHostKeys {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const keys: HostKey[] = [];
  for (const line of lines) {
    if (line.startsWith('@')) return refused(`has the marker "${line.split(/\s/)[0]}"; only plain keys are pinned`);
    const words = line.split(/\s+/);
    const hosts = TYPE.test(words[0] ?? '') ? undefined : words.shift();
    const [type = '', base64 = ''] = words;
    if (!TYPE.test(type))
      return refused('has a line that is no host key; write "ssh-ed25519 AAAA…", as ssh-keyscan prints it');
    if (!BASE64.test(base64) || typeWithin(base64) !== type) return refused(`has a ${type} key that is cut or damaged`);
    if (hosts !== undefined && !isFor(hosts, host, port)) return refused(`is the key of "${hosts}", not of "${host}"`);
    keys.push({ type, base64 });
  }
  return keys.length === 0 ? refused('holds no key') : { ok: true, keys };
}

/** The type that the key itself begins with (RFC 4253, section 6.6). */
function typeWithin(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  const length = bytes.length < 4 ? 0 : bytes.readUInt32BE(0);
  return bytes.subarray(4, 4 + Math.min(length, 64)).toString('latin1');
}

/** A hashed name (`|1|…`) cannot be read: whoever put it here says which host it is. */
function isFor(hosts: string, host: string, port: number): boolean {
  const names = [`[${host}]:${port}`, ...(port === 22 ? [host] : [])];
  return hosts.split(',').some((name) => name.startsWith('|1|') || names.includes(name.toLowerCase()));
}

function refused(message: string): ParsedHostKeys {
  return { ok: false, message };
}
