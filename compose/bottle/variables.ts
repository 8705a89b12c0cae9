import { TOKEN_RULES } from '../../daemons/scanner/rules.ts';
import { isAgentVariable } from '../agent-environment.ts';
import type { Fault } from './fault.ts';
import type { Bottle } from './schema.ts';

/** Variables that are not the author's to set, and credentials where none belong: in variables, or in a command line. */
export function* variableFaults({ agent, sidecars, model }: Bottle): Generator<Fault> {
  for (const [name, value] of Object.entries(agent.environment)) {
    const path = ['agent', 'environment', name];
    if (isAgentVariable(name)) {
      yield { path, message: 'is put in by the renderer: it is how the agent finds the bundle', ofKey: true };
    }
    if (holdsCredential(value)) yield { path, message: HOLDS_CREDENTIAL, hint: BELONGS_TO_EGRESS };
  }
  for (const key of ['entrypoint', 'command'] as const) {
    const words = agent[key];
    for (const [index, word] of (typeof words === 'string' ? [words] : (words ?? [])).entries()) {
      if (!holdsCredential(word)) continue;
      const path = typeof words === 'string' ? ['agent', key] : ['agent', key, index];
      yield { path, message: HOLDS_CREDENTIAL, hint: BELONGS_TO_EGRESS };
    }
  }
  for (const [name, value] of Object.entries(sidecars.environment)) {
    const path = ['sidecars', 'environment', name];
    if (!isSetting(name)) {
      yield {
        path,
        message: 'is not a setting of the bundle',
        hint: `the settings are ${SETTINGS.join(', ')}`,
        ofKey: true,
      };
    }
    if (holdsCredential(value)) yield { path, message: HOLDS_CREDENTIAL, hint: 'put it under "secrets"' };
  }
  for (const [name, value] of Object.entries(model?.environment ?? {})) {
    if (!HUGGING_FACE_TOKENS.includes(name) && !holdsCredential(value)) continue;
    yield {
      path: ['model', 'environment', name],
      message: HOLDS_CREDENTIAL,
      hint: 'put it under "secrets" and name it in model.token',
    };
  }
}

/** Names by which credentials go, in the agent: a placeholder for a client that wants one is all that belongs there. */
export function* variableWarnings({ agent }: Bottle): Generator<Fault> {
  for (const [name, value] of Object.entries(agent.environment)) {
    if (!CREDENTIAL_NAME.test(name) || value === '' || PLACEHOLDER.test(value)) continue;
    yield {
      path: ['agent', 'environment', name],
      message: 'is named like a credential: the agent can read it and give it away',
      hint: `write a placeholder, as ${name}: placeholder, and let egress put in the real one by token_env`,
      ofKey: true,
    };
  }
}

const HOLDS_CREDENTIAL = 'holds what looks like a credential';
/** Names by which Hugging Face's library takes a token from the environment, where everybody sees it who can look at the container. */
const HUGGING_FACE_TOKENS = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HUGGINGFACE_HUB_TOKEN'];
const BELONGS_TO_EGRESS =
  'put it under "secrets" and name it in token_env of a route: egress puts it in, the agent never has it';

/** What an author may tell the daemons beside what the bottle says. Ports, paths and users are those of the image. */
const SETTINGS = [
  'LOG_FORMAT',
  'NODE_EXTRA_CA_CERTS',
  'PIPELOCK_ENGINE',
  'MCP_BRIDGE_ALLOWED_HOSTS',
  'MCP_BRIDGE_AUTH',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  'SUPERVISE_HOSTS',
  'SUPERVISE_OPINION_DEADLINE',
  'SUPERVISE_OPINION_MODEL',
  'SUPERVISE_OPINION_URL',
  'TZ',
];

function isSetting(name: string): boolean {
  return SETTINGS.includes(name);
}

const CREDENTIAL_NAME = /(^|_)(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTH)$/i;
const PLACEHOLDER = /^(placeholder|dummy|empty|none|unused|fake|x+|\*+|-+|true|false|\d{1,3})$/i;

/** Whether a token of a known kind stands in it. */
function holdsCredential(value: string): boolean {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(value)) return true;
  return TOKEN_RULES.some(({ pattern, isPlausible = () => true }) =>
    [...value.matchAll(new RegExp(pattern.source, pattern.flags.replace('y', 'g')))].some((match) =>
      isPlausible(match[1] ?? match[0]),
    ),
  );
}
