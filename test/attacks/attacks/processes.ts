import { type Attack, NO_PERMISSION } from '../attack.ts';
import { fromTool } from './from-tool.ts';

/** The process of a daemon, as anybody in its container finds it; the brackets keep grep from finding itself. */
function pidOf(daemon: string): string {
  return `$(grep -l 'dist/[${daemon[0]}]${daemon.slice(1)}.mjs' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -1)`;
}

/** Refused; or, where each daemon has a container of its own, not even there. */
const DENIED = /Permission denied|Operation not permitted|No such file|kill: usage/;
const OTHERS = ['pipelock', 'egress', 'git-gate', 'supervise'];

/** At the other daemons, from within the bundle's container. */
export const PROCESSES: readonly Attack[] = [
  ...OTHERS.map((daemon) => {
    const script = `tr '\\0' '\\n' </proc/${pidOf(daemon)}/environ`;
    return fromTool(`the environment of ${daemon} cannot be read`, script, 'PATH=', DENIED, {
      without: `a user for each daemon: the user of ${daemon} itself`,
      script: `setpriv --reuid=${daemon} --regid=${daemon} --clear-groups bash <<'COMMANDS'\n${script}\nCOMMANDS`,
    });
  }),
  fromTool('the environment of the init cannot be read', "tr '\\0' '\\n' </proc/1/environ", 'PATH=', DENIED),
  fromTool(
    'the memory of egress cannot be read',
    `head -c 64 /proc/${pidOf('egress')}/maps && echo; dd if=/proc/${pidOf('egress')}/mem bs=1 count=0 && echo read`,
    'read\n',
    DENIED,
    { at: 'the user of egress', without: 'a user for each daemon: the user of egress itself' },
  ),
  fromTool(
    'the files of egress cannot be reached by way of its process',
    `ls /proc/${pidOf('egress')}/root/etc /proc/${pidOf('egress')}/cwd /proc/${pidOf('egress')}/fd/ && echo listed`,
    'listed',
    DENIED,
    { at: 'the user of egress', without: 'a user for each daemon: the user of egress itself' },
  ),
  fromTool('egress cannot be ended', `kill -0 ${pidOf('egress')} && echo may`, 'may', DENIED),
  fromTool(
    "the key of the agent's authority cannot be read",
    'cat /var/lib/bottled/egress/ca/*',
    'PRIVATE KEY',
    DENIED,
  ),
  fromTool(
    'the credentials of egress cannot be read',
    'cat /run/secrets/egress/EGRESS_TOKEN_ORIGIN; for d in /run/bottled/* /run/credentials/*; do cat $d/EGRESS_TOKEN_ORIGIN $d/*/EGRESS_TOKEN_ORIGIN; done',
    '$CREDENTIAL',
    /Permission denied|No such file/,
  ),
  fromTool(
    "the credential of git-gate's upstream cannot be read",
    'test -r /run/secrets/git-gate/GIT_TOKEN || ls /run/secrets/git-gate && echo readable',
    'readable',
    DENIED,
  ),
  fromTool(
    'the routes cannot be rewritten',
    'touch /etc/bottled/routes.yaml && echo written; echo x >/etc/bottled/more && echo written',
    'written',
    DENIED,
    { script: 'touch /etc/bottled/routes.yaml && echo written' },
  ),
  fromTool(
    'the certificate that the agent trusts cannot be replaced, nor by a link',
    'echo x >/var/lib/bottled-ca/certificate.pem && echo written; ln -sf /etc/passwd /var/lib/bottled-ca/certificate.pem && echo written',
    'written',
    DENIED,
    {
      script:
        'test -f /var/lib/bottled-ca/certificate.pem && touch /var/lib/bottled-ca/certificate.pem && echo written',
    },
  ),
  fromTool(
    'the log of decisions cannot be changed',
    'echo {} >>/var/lib/bottled/supervise/journal-000000000001.jsonl && echo written',
    'written',
    DENIED,
    {
      script:
        'test -f /var/lib/bottled/supervise/journal-000000000001.jsonl && touch /var/lib/bottled/supervise/journal-000000000001.jsonl && echo written',
    },
  ),
  fromTool(
    'the cutoff cannot be touched',
    'touch /var/lib/bottled/egress/cutoff-not && echo touched',
    'touched',
    DENIED,
    {
      script: 'touch /var/lib/bottled/egress/cutoff-not && rm /var/lib/bottled/egress/cutoff-not && echo touched',
    },
  ),
  fromTool(
    'no setuid program gives it more',
    "find / -xdev -perm -4000 -type f 2>/dev/null | head -3; grep -E 'NoNewPrivs|CapBnd|CapEff' /proc/self/status; grep -q 'CapEff:.0*$' /proc/self/status && grep -q 'NoNewPrivs:.1' /proc/self/status || echo more",
    'more',
    /NoNewPrivs:\t1/,
    { script: "grep -q 'CapEff:.0*$' /proc/self/status && grep -q 'NoNewPrivs:.1' /proc/self/status || echo more" },
  ),
  fromTool(
    "the engine's socket is not there",
    'ls -l /var/run/docker.sock /run/docker.sock && echo there',
    'there',
    /No such file/,
    {
      at: 'plain internal network',
      without: 'its absence: the socket is mounted',
      script: 'ls -l /var/run/docker.sock && echo there',
    },
  ),
  {
    name: 'the certificate of egress cannot be replaced by the agent',
    script:
      'echo x >/etc/bottled-ca/certificate.pem && echo written; mount -o remount,rw /etc/bottled-ca; ln -s /etc/passwd /etc/bottled-ca/link && echo written',
    gains: 'written',
    told: /Read-only file system/,
    trace: NO_PERMISSION,
    twin: {
      without: 'ro: the volume is mounted for writing',
      at: 'with the volumes',
      script: 'touch /var/lib/bottled-ca/certificate.pem && echo written',
    },
  },
  {
    name: 'nothing of the daemons is in the agent: processes, files, secrets',
    script:
      "ls /var/lib/bottled /run/secrets /etc/bottled; grep -l -a bottled /proc/[0-9]*/cmdline; env | grep -E 'TOKEN|SECRET|CANARY='; test -e /run/bottled && echo there",
    gains: 'routes.yaml',
    told: /No such file/,
    trace: { none: 'it is not in the container of the agent' },
    twin: { without: 'the wall between the containers: the volumes are mounted', at: 'with the volumes' },
  },
];
