import * as z from 'zod/mini';
import { type Json, jsonSchemaOf } from '../../../config/json-schema.ts';
import { byteSize, duration, key, refuse, rule, text } from '../../../config/values.ts';
import { isRefPattern } from './ref-pattern.ts';
import { parseUpstream, type Upstream } from './upstream-url.ts';

/** The shape of `git-gate.yaml`: which repositories an agent reaches through the gate, and what it may do there. */

const REPO_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

const repoName = z
  .string()
  .check(
    rule(
      (name) => REPO_NAME.test(name) && !/\.git$/i.test(name) && !name.includes('..'),
      'is not a name of a repository: use letters, digits, ".", "_" and "-", the first no dot or dash, without ".." and ".git"',
    ),
  );

const secretName = text.check(
  rule(
    (name) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name),
    'is not the name of a file in $CREDENTIALS_DIRECTORY: a name, not a path and not the secret itself',
  ),
);

const upstreamUrl = z.codec(z.string(), z.custom<Upstream>(), {
  decode: (text, payload) => {
    const parsed = parseUpstream(text);
    return parsed.ok ? parsed.upstream : refuse(payload, parsed.message);
  },
  encode: (upstream) => upstream.url,
});

const repo = z.strictObject({
  url: key(
    upstreamUrl,
    'Where upstream is: ssh://git@host/path.git, git@host:path, https://host/path or file:///absolute/path.',
  ),
  identity: key(z.optional(secretName), 'For ssh: the file in $CREDENTIALS_DIRECTORY that holds the private key.'),
  host_key: key(
    z.optional(z.string()),
    'For ssh, required: one or more lines of known_hosts. A host that shows another key is refused.',
  ),
  token: key(z.optional(secretName), 'For https: the file in $CREDENTIALS_DIRECTORY that holds a token.'),
  token_user: key(
    z._default(z.string().check(z.regex(/^[A-Za-z0-9_.-]{1,64}$/, 'is not a name of a user')), 'x-access-token'),
    'For https: the user that goes with the token. GitHub takes any, GitLab wants oauth2.',
  ),
  ca_file: key(
    z.optional(z.string().check(z.startsWith('/'))),
    'For https: a PEM file with the certificate authorities of a host that uses its own.',
  ),
  read_only: key(z._default(z.boolean(), false), 'true: nothing may be pushed.'),
  allow_delete: key(
    z._default(z.boolean(), false),
    'true: branches and tags may be deleted, but never the default branch.',
  ),
  allow_force: key(
    z._default(z.boolean(), false),
    'true: a branch may be moved to a commit that does not descend from the old one.',
  ),
  tags: key(
    z._default(z.enum(['none', 'create', 'any']), 'create'),
    'none: no tags; create: only new ones; any: tags may be moved too.',
  ),
  protected: key(
    z._default(
      z.array(
        z
          .string()
          .check(rule(isRefPattern, 'is not a pattern of refs; write "refs/heads/main" or "refs/heads/release/*"')),
      ),
      [],
    ),
    'Refs that nobody may push to through the gate. "*" stays within one part of a name, "**" goes across.',
  ),
  max_blob: key(z.optional(byteSize), 'As limits.max_blob, for this repository.'),
  allow_lfs: key(
    z._default(z.boolean(), false),
    'true: Git LFS pointers may be pushed, although what they point to does not pass the gate.',
  ),
});

const limits = z.strictObject({
  max_push: key(z._default(byteSize, 512 * 1024 ** 2), 'The largest pack that one push may send.'),
  max_content: key(
    z._default(byteSize, 2 * 1024 ** 3),
    'The most bytes that the new objects of one push may hold when they are unpacked.',
  ),
  max_blob: key(z._default(byteSize, 64 * 1024 ** 2), 'A larger file is refused, since it is not scanned.'),
  max_mirror: key(
    z._default(byteSize, 10 * 1024 ** 3),
    'What the mirror of one repository may take on disk. A push beyond it is refused; fetches go on.',
  ),
  max_mirrors: key(z._default(byteSize, 50 * 1024 ** 3), 'The same for all mirrors together.'),
  max_refs: key(
    z._default(z.int().check(z.minimum(1), z.maximum(1_000_000)), 20_000),
    'Branches and tags of one repository. A push that makes more is refused.',
  ),
  keep_free: key(
    z._default(byteSize, 256 * 1024 ** 2),
    'What is kept free on the disk of GIT_GATE_DATA, for the other daemons. A push that would take it is refused, or cut off.',
  ),
  concurrent_per_repo: key(
    z._default(z.int().check(z.minimum(1), z.maximum(256)), 8),
    'Requests for one repository at once.',
  ),
  concurrent_total: key(z._default(z.int().check(z.minimum(1), z.maximum(1024)), 32), 'Requests at once in all.'),
  push_timeout: key(z._default(duration, 600_000), 'The longest that one push may take.'),
  fetch_timeout: key(z._default(duration, 600_000), 'The longest that one fetch may take, upstream or to the agent.'),
  fetch_fresh: key(z._default(duration, 2000), 'How long what was fetched from upstream counts as fresh.'),
});

const allowed = z.strictObject({
  fingerprint: key(
    z
      .string()
      .check(z.regex(/^[0-9a-f]{64}$/, 'is not a fingerprint: 64 hexadecimal digits, as a refused push shows them')),
    'What a refused push showed: SHA-256 of rule and secret.',
  ),
  reason: key(z.string().check(z.minLength(1)), 'Why this is no secret, for whoever reads this file next.'),
});

/** `git-gate.yaml`. */
export const gateSchema = z.strictObject({
  repos: key(z.record(repoName, repo), 'Each repository by the name under which the agent reaches it.'),
  limits: key(z._default(limits, z.decode(limits, {})), 'Bounds on sizes, numbers and times.'),
  second_engine: key(
    z._default(z.enum(['auto', 'none']), 'auto'),
    'auto: betterleaks or gitleaks scans pushes as well, where it is installed; none: only the scanner of the bundle.',
  ),
  allow: key(
    z._default(z.array(allowed), []),
    'Findings that the operator has looked at and lets pass, by fingerprint.',
  ),
});

export type GateFile = z.output<typeof gateSchema>;
export type RepoEntry = GateFile['repos'][string];
export type Limits = GateFile['limits'];

/** The JSON Schema of `git-gate.yaml`. */
export function gateJsonSchema(): Json {
  return jsonSchemaOf(gateSchema, {
    id: 'git-gate.schema.json',
    title: 'git-gate.yaml',
    description: 'The repositories that an agent reaches through git-gate, and the rules for what it pushes.',
  });
}
