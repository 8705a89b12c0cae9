import { randomBytes } from 'node:crypto';

/** What a bottle under attack may do, and which credentials it holds. */

/** Made up anew for each run. */
export const CREDENTIALS = {
  EGRESS_TOKEN_ORIGIN: made('origin'),
  CANARY: made('canary'),
  GIT_TOKEN: made('upstream'),
  TOOL_SECRET: made('tool'),
} as const;

/** Looks like a token of GitHub, and is none. */
export const LEAK = `ghp_${randomBytes(30)
  .toString('base64')
  .replace(/[^A-Za-z0-9]/g, 'x')
  .slice(0, 36)}`;

function made(word: string): string {
  return `${word}-${randomBytes(18).toString('hex')}`;
}

/** bottle.yaml. Paths in it are relative to it. */
export function bottleFile(name: string, images: { readonly agent: string; readonly sidecars: string }): string {
  return `name: ${name}
agent:
  image: ${images.agent}
  command: [bash, -c, "trap exit TERM; sleep infinity & wait"]
  volumes: [./outside-ca:/outside-ca:ro, ./agent:/attack:ro]
sidecars:
  image: ${images.sidecars}
  environment: { SSL_CERT_FILE: /outside-ca/authority.pem, NODE_EXTRA_CA_CERTS: /outside-ca/authority.pem }
  volumes: [./outside-ca:/outside-ca:ro, ./tools:/opt/tools:ro, ./project:/project:ro]
egress:
  log: 1
  routes:
    - host: origin.test
      matches: [{ paths: [{ type: Prefix, value: /v1 }, { type: Prefix, value: /redirect }, { type: Prefix, value: /echo }, { type: Prefix, value: /git }] }]
      auth_scheme: Bearer
      token_env: EGRESS_TOKEN_ORIGIN
      websocket: true
    - { host: plain.test, schemes: [http] }
    # Allowed by name; where the names lead is pipelock's to judge.
    - { host: inner.test, schemes: [http] }
    - { host: metadata.test, schemes: [http] }
    - { host: egress, schemes: [http], ports: [9098, 8889] }
pipelock: { internal_hosts: [origin.test, plain.test] }
git:
  repos:
    project: { url: "https://upstream.test/git/project.git", token: GIT_TOKEN }
mcp:
  governance: { mode: blocking }
  tools:
    - name: files
      driver: local
      life: stateless
      command: [/usr/local/bin/node, /opt/tools/shell-tool.ts]
      environment: { TOOL_SECRET: "\${TOOL_SECRET}" }
    - name: unruled
      driver: local
      life: stateless
      command: [/usr/local/bin/node, /opt/tools/shell-tool.ts]
  rules:
    - { name: below-project, when: { tools: [files], names: [read], arguments: [{ path: $.path, within: /project }] }, action: allow }
    - { name: no-other-files, when: { tools: [files], names: [read] }, action: block }
    - { name: shell, when: { tools: [files, unruled], names: [shell, read] }, action: allow }
secrets:
${Object.keys(CREDENTIALS)
  .map((secret) => `  ${secret}: { file: secrets/${secret} }`)
  .join('\n')}
`;
}
