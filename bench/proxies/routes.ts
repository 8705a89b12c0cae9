import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxyPlace } from './proxy.ts';

/**
 * A policy as an agent of this day would have: the origin's route is the last of a dozen, by path and method, and gets a
 * credential; the other credential and a canary have to be looked for in all that goes out.
 */
const routes = (port: number) => `log: 0
routes:
  - { host: api.anthropic.com, auth_header: x-api-key, token_env: EGRESS_TOKEN_0 }
  - { host: api.openai.com, matches: [{ paths: [{ type: Prefix, value: /v1 }] }] }
  - { host: api.github.com, matches: [{ paths: [{ type: Prefix, value: /repos }], methods: [GET] }] }
  - { host: raw.githubusercontent.com, matches: [{ methods: [GET, HEAD] }] }
  - { host: "*.npmjs.org", allow_encoded_slash: true, matches: [{ methods: [GET, HEAD] }] }
  - { host: pypi.org, matches: [{ methods: [GET, HEAD] }] }
  - { host: files.pythonhosted.org, matches: [{ methods: [GET, HEAD] }] }
  - { host: index.crates.io, matches: [{ methods: [GET] }] }
  - { host: static.crates.io, matches: [{ methods: [GET] }] }
  - { host: proxy.golang.org, matches: [{ methods: [GET] }] }
  - host: localhost
    ports: [${port}]
    matches:
      - { paths: [{ type: RegularExpression, value: "/v[0-9]+/admin/.*" }], methods: [DELETE] }
      - { paths: [{ type: Prefix, value: /v1 }], methods: [GET, POST] }
    auth_scheme: Bearer
    token_env: EGRESS_TOKEN_1
`;

/** Writes routes.yaml; returns its path and the credentials that go with it, made up anew. */
export function writeRoutes({ directory, origin }: ProxyPlace) {
  const file = join(directory, 'routes.yaml');
  writeFileSync(file, routes(origin.port));
  const secret = () => randomBytes(30).toString('base64url');
  return { file, credentials: { EGRESS_TOKEN_0: secret(), EGRESS_TOKEN_1: secret(), EGRESS_CANARY: secret() } };
}
