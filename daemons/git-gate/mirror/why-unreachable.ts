import { printable } from '../../text/printable.ts';
import type { Repo } from '../config/load.ts';
import type { Ran } from '../git/process.ts';

/** Known ends of git and ssh, and what they mean for an operator. The first that matches counts. */
const CAUSES: readonly (readonly [sign: RegExp, meaning: string])[] = [
  [
    /^(?:error|fatal): .*(?:No space left on device|couldn't write|cannot update ref)/m,
    'the gate cannot write its mirror; the operator looks whether its disk is full',
  ],
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|no matching host key type/i,
    'the host shows another key than the one pinned as host_key; nothing was sent to it',
  ],
  [
    /Permission denied \(|Authentication failed|HTTP 40[13]|returned error: 40[13]|could not read Username/i,
    'upstream does not accept the credentials of the gate',
  ],
  [
    /Repository not found|does not appear to be a git repository|returned error: 404|not found$/im,
    'upstream has no such repository, or hides it from the credentials of the gate',
  ],
  [/Could not resolve host/i, 'the name of the host cannot be resolved'],
  [/Connection refused|Failed to connect|Couldn't connect/i, 'upstream refuses the connection'],
  [/timed out|Timeout|No route to host|Network is unreachable/i, 'upstream does not answer'],
  [/certificate|SSL|TLS/i, 'the certificate of upstream is not trusted'],
  [
    /unable to update url base from redirection|returned error: 30/i,
    'upstream has moved: put its new address into git-gate.yaml',
  ],
];

/** Why a git process that talked to upstream failed, as the end of a sentence. Holds no secret and no path of ours. */
export function whyUnreachable(ran: Ran, repo: Repo, secrets: readonly string[]): string {
  if (ran.timedOut) return 'upstream did not answer in time';
  if (ran.ended.kind === 'not-started') return 'git cannot be started';
  const cause = CAUSES.find(([sign]) => sign.test(ran.stderr));
  if (cause !== undefined) return cause[1];
  const told = ran.stderr.split('\n').find((line) => /^(?:fatal|error|ERROR|remote):/.test(line));
  if (told === undefined)
    return ran.ended.kind === 'exit' ? `git ended with ${ran.ended.code}` : `git was ended by ${ran.ended.signal}`;
  return cleaned(told, repo, secrets);
}

/** What git or upstream said, in one printable line without anything that is not for the agent. */
export function cleaned(line: string, repo: Repo, secrets: readonly string[]): string {
  let text = line;
  for (const secret of secrets) text = text.replaceAll(secret, '***');
  const path = repo.upstream.kind === 'file' ? repo.upstream.url.slice('file://'.length) : undefined;
  if (path !== undefined) text = text.replaceAll(path, repo.name);
  return printable(text.replace(/\/\/[^/\s@]*@/g, '//').trim());
}
