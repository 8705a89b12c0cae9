import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseBottle } from '../../compose/bottle/load.ts';
import { BOTTLES, planOfFile, planOfText, problemsOf, warningsOf } from './rendered.ts';

const AGENT = 'name: b\nagent:\n  image: acme/agent\n';

/** Made up here, so that no scanner finds it in this file. */
const TOKEN = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;

/** The one problem of a bottle. */
async function problemOf(text: string): Promise<string> {
  const problems = await problemsOf(text);
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] ?? '';
}

async function mountProblem(volume: string, key = 'agent'): Promise<string> {
  const sidecars = key === 'sidecars' ? `sidecars: { volumes: ["${volume}"] }\n` : '';
  return problemOf(`${AGENT}${key === 'agent' ? `  volumes: ["${volume}"]\n` : ''}${sidecars}`);
}

describe('a bottle', () => {
  it('is valid with a name and an image', async () => {
    assert.deepEqual(await warningsOf(AGENT), []);
  });

  it('is told all its problems at once, each with its place and a remedy', async () => {
    const problems = await problemsOf(
      'name: Bad\nagent: { image: a, ports: ["80:80"] }\negres: {}\nsecrets: { A: {} }\n',
    );
    assert.deepEqual(problems, [
      'bottle.yaml:1:7: name: "Bad" is not a name: small letters, digits and "-", at most 40, no "-" at either end',
      'bottle.yaml:2:20: agent.ports: is not a setting: nobody reaches a bottle from outside; leave it out',
      'bottle.yaml:3:1: egres: is not a known key; did you mean "egress"?',
      'bottle.yaml:4:12: secrets.A: needs exactly one of file, external',
    ]);
  });

  it('may have keys of its author at the top, and anchors in them, as in Compose', async () => {
    const text =
      'x-image: &image acme/agent\nx-more: &more { tty: true }\nname: b\nagent: { image: *image, <<: *more }\n';
    assert.equal((await planOfText(text)).bottle.agent.tty, true);
    assert.match(await problemOf(`${AGENT}  x-mine: 1\n`), /agent\.x-mine: is not a known key/);
  });

  it('never makes the loader fail, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.anything(), async (text, value) => {
        await parseBottle('bottle.yaml', text, { engine: 'compose' });
        await parseBottle('bottle.yaml', `${AGENT}x: ${JSON.stringify(value) ?? ''}`, { engine: 'compose' });
      }),
      { numRuns: 200 },
    );
  });

  it('keeps what its sections say as it is written, for the files of the daemons', async () => {
    const { files } = await planOfFile(BOTTLES.example ?? '', 'bundle');
    assert.match(files.get('routes.yaml') ?? '', /^log: 1\nroutes:\n {2}- host: api\.github\.com\n/);
    assert.equal(files.get('pipelock.yaml'), '{}\n');
  });
});

describe('the sections', () => {
  it('are checked by the rules of their daemons, at their place in the bottle', async () => {
    assert.deepEqual(
      await problemsOf(
        `${AGENT}egress:\n  routes:\n    - { host: 169.254.169.254 }\ngit:\n  repos:\n    a: { url: "git@git.example:a/b" }\nmcp:\n  governance: { mode: blocking }\n  tools:\n    - { name: t, driver: local }\n    - { name: t, driver: local, command: t }\n`,
      ),
      [
        'bottle.yaml:6:15: egress.routes[0].host: "169.254.169.254" is where a cloud hands out credentials of the machine; no route can allow it',
        'bottle.yaml:9:5: git.repos.a.host_key: is missing; pin the key of the host: ssh-keyscan prints it, compare it with what the host publishes',
        'bottle.yaml:13:7: mcp.tools[0].command: is missing; name the program that speaks MCP on its stdin and stdout',
        'bottle.yaml:14:15: mcp.tools[1].name: "t" is the name of mcp.tools[0] already',
      ],
    );
  });
});

describe('secrets', () => {
  const ROUTE = 'egress: { routes: [{ host: a.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }] }\n';

  it('that are used have to be there, and the place of use is told', async () => {
    assert.equal(
      await problemOf(`${AGENT}${ROUTE}`),
      'bottle.yaml:4:71: egress.routes[0].token_env: needs "EGRESS_TOKEN_0", which "secrets" does not have; add it: secrets: { EGRESS_TOKEN_0: { file: ./secrets/EGRESS_TOKEN_0 } }',
    );
    assert.match(
      await problemOf(
        `${AGENT}mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local, command: t, environment: { A: "x\${KEY}" } }] }\n`,
      ),
      /mcp\.tools\[0\]\.environment\.A: needs "KEY"/,
    );
  });

  it('that nobody uses are warned of', async () => {
    assert.deepEqual(await warningsOf(`${AGENT}secrets:\n  OLD: { file: ./old }\n`), [
      'bottle.yaml:5:3: secrets.OLD: is used by nobody, so no container gets it',
    ]);
    assert.deepEqual(await warningsOf(`${AGENT}secrets:\n  CANARY: { file: ./canary }\n`), []);
  });

  it('cannot be external to Compose, which keeps none', async () => {
    const text = `${AGENT}${ROUTE}secrets: { EGRESS_TOKEN_0: { external: true } }\n`;
    assert.match(await problemOf(text), /is for Swarm and Kubernetes: Compose keeps no secrets; write file: /);
    const swarm = await parseBottle('bottle.yaml', text, { engine: 'swarm' });
    assert.equal(swarm.ok, true);
  });

  it('that are written in place of their file are told where to go, and not repeated', async () => {
    const problem = await problemOf(`${AGENT}secrets: { A: ${TOKEN} }\n`);
    assert.match(
      problem,
      /secrets\.A: this value is not a map of keys; write the value into a file, and here its name/,
    );
    assert.match(await problemOf(`${AGENT}secrets: { A: { file: ~/a } }\n`), /another directory for each user/);
  });

  it('do not stand in a command line', async () => {
    for (const key of ['command', 'entrypoint']) {
      const asList = await problemOf(`${AGENT}  ${key}: [run, "--token=${TOKEN}"]\n`);
      assert.match(asList, new RegExp(`agent\\.${key}\\[1\\]: holds what looks like a credential; put it under`));
      const asText = await problemOf(`${AGENT}  ${key}: run --token ${TOKEN}\n`);
      assert.match(asText, new RegExp(`agent\\.${key}: holds what looks like a credential`));
      assert.doesNotMatch(asList + asText, /A1b2C3/);
    }
  });

  it('that were written in place of a name are not repeated', async () => {
    const problems = await problemsOf(
      `${AGENT}  environment: { A: ["${TOKEN}"] }\negress: { routes: [{ host: a.example, token_env: "${TOKEN}" }] }\nsecrets: { A: { file: ["${TOKEN}"] } }\ngit: { repos: { a: { url: "https://git.example/a", token: "${TOKEN}/" } } }\n`,
    );
    assert.equal(problems.length, 4, problems.join('\n'));
    assert.doesNotMatch(problems.join('\n'), /A1b2C3/);
  });
});

describe('variables of the agent', () => {
  it('that lead to the bundle are not the author’s to set', async () => {
    for (const name of ['HTTPS_PROXY', 'no_proxy', 'ALL_PROXY', 'SSL_CERT_FILE', 'GIT_CONFIG_COUNT', 'BOTTLED_X']) {
      assert.match(await problemOf(`${AGENT}  environment: { ${name}: x }\n`), /is put in by the renderer/);
    }
  });

  it('that hold a credential of a known kind are refused, and it is not repeated', async () => {
    const problem = await problemOf(`${AGENT}  environment: { NOTE: "use ${TOKEN} for it" }\n`);
    assert.match(problem, /agent\.environment\.NOTE: holds what looks like a credential; put it under "secrets"/);
    assert.doesNotMatch(problem, /A1b2C3/);
  });

  it('that are named like a credential are warned of, unless they hold a placeholder', async () => {
    const warned = await warningsOf(
      `${AGENT}  environment: { API_KEY: abcdef, OTHER_TOKEN: placeholder, MAX_TOKEN: 99 }\n`,
    );
    assert.equal(warned.length, 1);
    assert.match(warned[0] ?? '', /agent\.environment\.API_KEY: is named like a credential/);
  });
});

describe('variables of the sidecars', () => {
  it('are settings of the daemons, and no others', async () => {
    for (const name of ['EGRESS_TOKEN_0', 'EGRESS_CANARY', 'EGRESS_USER', 'BOTTLED_DATA', 'PIPELOCK_ALLOW_REMOTE']) {
      assert.match(
        await problemOf(`${AGENT}sidecars: { environment: { ${name}: x } }\n`),
        /is not a setting of the bundle; the settings are LOG_FORMAT, /,
      );
    }
    assert.deepEqual(await warningsOf(`${AGENT}sidecars: { environment: { LOG_FORMAT: text } }\n`), []);
  });
});

describe('mounts', () => {
  it('of the host itself are refused, for the agent and for the tools', async () => {
    for (const key of ['agent', 'sidecars']) {
      for (const source of [
        '/',
        '/var',
        '/proc',
        '/proc/1',
        '/var/run/docker.sock',
        '/run/docker.sock',
        '/etc',
        '/dev/mem',
        '/var/lib/docker/volumes',
        '/run/user/1000',
        '../../',
      ]) {
        assert.match(await mountProblem(`${source}:/x`, key), /whoever has it has the host$/, source);
      }
    }
  });

  it('of what the host runs as root are refused, unless they are read-only', async () => {
    for (const source of ['/usr', '/usr/local/bin', '/bin', '/lib/../etc/cron.d', '/var/spool/cron']) {
      assert.match(
        await mountProblem(`${source}:/x`),
        /which the host runs: whoever writes there has the host; add ":ro"$/,
        source,
      );
      assert.deepEqual(await warningsOf(`${AGENT}  volumes: ["${source}:/x:ro"]\n`), [], source);
    }
  });

  it('of a home as a whole, or of the keys in it, are refused', async () => {
    for (const source of ['/home', '/home/ada', '/home/ada/', '/home/ada/.ssh', '/home/ada/.aws/credentials']) {
      assert.match(await mountProblem(`${source}:/x:ro`), /has the keys and settings of a user of the host/, source);
    }
    assert.deepEqual(await warningsOf(`${AGENT}  volumes: ["/home/ada/work:/x"]\n`), []);
  });

  it('of what the daemons keep are refused, where that is a directory of the host', async () => {
    const [problem] = await problemsOf(
      `${AGENT}  volumes: ["/srv:/s"]\ndata: { driver_opts: { type: none, o: bind, device: /srv/bottle/ } }\n`,
    );
    assert.match(problem ?? '', /agent\.volumes\[0\]: "\/srv" holds what the daemons keep \(\/srv\/bottle\)/);
  });

  it('of any socket are refused', async () => {
    assert.match(await mountProblem('/srv/engine.sock:/x'), /is a socket of the host/);
  });

  it('that hold the bottle, what is rendered from it, or a secret are refused', async () => {
    assert.match(
      await mountProblem('.:/project'),
      /holds this file \(\/project\/bottle\/bottle\.yaml\); mount a directory beside it/,
    );
    assert.match(await mountProblem('..:/project'), /holds this file/);
    assert.match(await mountProblem('./config:/project'), /holds what is rendered from this file/);
    assert.match(await mountProblem('./compose.yaml:/x'), /holds what is rendered from this file/);
    assert.match(await mountProblem('./config/routes.yaml:/r'), /holds what is rendered from this file/);
    const [problem] = await problemsOf(
      `${AGENT}  volumes: ["../keys:/k:ro"]\nsecrets: { CANARY: { file: ../keys/canary } }\n`,
    );
    assert.match(problem ?? '', /holds a secret \(\/project\/keys\/canary\)/);
  });

  it('of the volumes of the bundle are refused', async () => {
    assert.match(await mountProblem('data:/x'), /"data" is the volume of the bundle; give it another name/);
    assert.match(await mountProblem('ca:/x'), /"ca" is the volume of the bundle/);
  });

  it('over what the container has of the bundle are refused', async () => {
    assert.match(await mountProblem('./x:/etc/bottled-ca'), /would cover \/etc\/bottled-ca/);
    assert.match(await mountProblem('./x:/etc/../etc/bottled-ca/'), /would cover \/etc\/bottled-ca/);
    assert.match(await mountProblem('./x:/etc'), /would cover \/etc\/bottled-ca/);
    assert.match(await mountProblem('./x:/etc/bottled', 'sidecars'), /would cover \/etc\/bottled/);
    assert.match(await mountProblem('./x:/run/secrets', 'sidecars'), /would cover \/run/);
  });

  it('within a directory that the agent writes are refused: it could put a link there', async () => {
    const [problem] = await problemsOf(
      `${AGENT}  volumes: ["./work:/w"]\nsidecars: { volumes: ["./work/tools:/t:ro"] }\n`,
    );
    assert.match(problem ?? '', /sidecars\.volumes\[0\]: lies in "\.\/work", which the agent can write/);
    assert.deepEqual(await warningsOf(`${AGENT}  volumes: ["./work:/w"]\nsidecars: { volumes: ["./work:/w"] }\n`), []);
    assert.deepEqual(await warningsOf(`${AGENT}  volumes: ["./work:/w:ro", "./work/out:/o"]\n`), []);
  });

  it('of a directory without "./" are taken for a mistake where they can be no volume', async () => {
    assert.match(
      await mountProblem('src/app:/x'),
      /"src\/app" is no name of a volume; for a directory write "\.\/src\/app"/,
    );
  });
});

describe('directories in memory', () => {
  it('are paths alone, each once, and not over what the container has of the bundle', async () => {
    const of = (tmpfs: string) => problemOf(`${AGENT}  tmpfs: [${tmpfs}]\n`);
    assert.match(await of('"/tmp:size=1g"'), /agent\.tmpfs\[0\]: .* is not an absolute path; write it alone/);
    assert.match(await of('"/a\\nb"'), /is not an absolute path/);
    assert.match(await of('/tmp, /tmp/'), /agent\.tmpfs\[1\]: "\/tmp\/" is taken already, by tmpfs\[0\]/);
    assert.match(await of('/etc/bottled-ca'), /would cover \/etc\/bottled-ca/);
    assert.deepEqual(await warningsOf(`${AGENT}  tmpfs: [/tmp, /dev/shm]\n`), []);
  });
});

describe('what no engine takes', () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['an image with a break of line', 'image: "a\\nprivileged: true"', /is not the name of an image/],
    ['an image in capital letters', 'image: Acme/Agent', /is not the name of an image/],
    ['an image that is an option', 'image: "-v"', /is not the name of an image/],
    ['an image with two tags', 'image: a:b:c', /is not the name of an image/],
    ['a null character in a variable', 'environment: { A: "x\\0y" }', /agent\.environment\.A: .* a null character/],
    ['a null character in a command', 'command: ["x\\0y"]', /agent\.command\[0\]: .* a null character/],
    ['half a character', 'environment: { A: "\\ud800" }', /half of a pair of surrogates/],
    ['a user that is none', 'user: "1000; reboot"', /is not a user; write uid or uid:gid/],
    ['a break of line in a mount', 'volumes: ["./a\\nb:/x"]', /is not a mount/],
    ['a break of line in a path', 'working_dir: "/a\\u0085b"', /is not an absolute path/],
    ['less memory than an engine gives', 'mem_limit: 1', /is less than 6mb/],
    ['a time without a unit', 'stop_grace_period: 10', /: 10 is not a duration; write a number with its unit: "500ms"/],
    ['no processor', 'cpus: 0', /agent\.cpus: 0 is not more than 0/],
  ];
  for (const [what, line, message] of refused) {
    it(`${what} is refused before`, async () => {
      const agent = line.startsWith('image') ? `name: b\nagent: { ${line} }\n` : `${AGENT}  ${line}\n`;
      assert.match(await problemOf(agent), message);
    });
  }

  it('images of every form are taken', async () => {
    for (const image of [
      'node',
      'node:26-bookworm',
      'acme/agent',
      'localhost/a',
      'localhost:5000/a__b/c-d.e:1_2',
      'Registry.example/a',
      'registry.example:5000/acme/agent:1.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
      '[::1]:5000/a',
      'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    ]) {
      assert.deepEqual(await warningsOf(`name: b\nagent: { image: "${image}" }\n`), [], image);
    }
  });
});

describe('tools in containers', () => {
  const DOCKER = 'mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local-docker, image: t }] }\n';

  it("need the engine's socket", async () => {
    assert.match(
      await problemOf(`${AGENT}${DOCKER}`),
      /"t" runs in a container, and the bundle cannot start any; give it the engine by sidecars\.docker_socket/,
    );
  });

  it('without them the socket is warned of', async () => {
    assert.match(
      (await warningsOf(`${AGENT}sidecars: { docker_socket: { group: 9 } }\n`)).join(),
      /is not needed: no tool has driver local-docker/,
    );
  });
});

describe('a tool that is a process beside tools in containers', () => {
  it('is warned of: it has the engine, too', async () => {
    const text = `${AGENT}sidecars: { docker_socket: { group: 9 } }\nmcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local-docker, image: t }, { name: u, driver: local, command: u }] }\n`;
    assert.match((await warningsOf(text)).join(), /"u" runs as the user of mcp-bridge, who has the engine's socket/);
  });
});

describe('another file', () => {
  it('is told which command is for it', async () => {
    assert.match(
      (await problemsOf('daemons: {}\n')).join('\n'),
      /daemons: is a key of a bundle, the file of one container; bottled check FILE checks it/,
    );
  });
});
