import { rules as creators } from '@secretlint/secretlint-rule-preset-recommend';
import type { Hit } from './collector.ts';
import { withAnyNext } from './prefilter.ts';

type Creator = (typeof creators)[number];
type Context = Parameters<Creator['create']>[0];
type Source = Parameters<NonNullable<ReturnType<Creator['create']>['file']>>[0];

/** One rule of secretlint. */
export interface SecretlintRule {
  /** E.g. `secretlint-github`. */
  readonly id: string;
  /** The rule finds nothing in bytes that have none of these. `undefined`: not known, always run. */
  readonly keywords: readonly string[] | undefined;
  /** Reports what it finds in `text`, in which each character is one byte. */
  run(text: string, report: (hit: Hit) => void): Promise<void>;
}

const PREFIX = '@secretlint/secretlint-rule-';

/** Heeds `secretlint-disable` comments, which the author of the text writes. */
const COMMENT_FILTER = `${PREFIX}filter-comments`;

/** Account ids of AWS stand in many a public file and open nothing. Webhooks of Slack are a rule of our own. */
const LEFT_OUT = new Set(['AWSAccountID', 'IncomingWebhook']);

/** What each rule's patterns need, read from the rules of the pinned version. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  aws: [
    ...['AKIA', 'AGPA', 'AIDA', 'AROA', 'AIPA', 'ANPA', 'ANVA', 'ASIA'],
    ...[...'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'].map((next) => `A3T${next}`),
    ...['secretaccess', 'secret_access'],
  ],
  // Goes by the name of a file and its whole text; the key in it is found as a private key.
  gcp: [],
  sendgrid: withAnyNext('SG.'),
  huggingface: withAnyNext('hf_'),
  privatekey: ['-----BEGIN'],
  npm: ['x-oauth-basic', 'npm_', '_authToken='],
  basicauth: ['http://', 'https://', 'ftp://', 'ftps://'],
  slack: ['xoxb', 'xoxp', 'xapp', 'xoxa', 'xoxo', 'xoxr'],
  shopify: ['shppa_', 'shpca_', 'shpat_', 'shpss_'],
  stripe: ['sk_live', 'sk_test', 'rk_live', 'rk_test'],
  github: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat'],
  gitlab: ['glpat-'],
  grafana: ['glc_', 'glsa_'],
  openai: ['T3BlbkFJ'],
  anthropic: ['sk-ant-'],
  groq: ['gsk_'],
  linear: ['lin_api_'],
  notion: ['ntn_'],
  '1password': ['ops_'],
  'database-connection-string': ['mongodb', 'mysql', 'postgres'],
  'hashicorp-vault': ['hvs.', 'hvb.', 'hvr.'],
  vercel: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'],
  databricks: ['dapi'],
  docker: ['dckr_pat_'],
  figma: ['figd_'],
  cloudflare: ['cfk_', 'cfut_', 'cfat_'],
  tailscale: ['tskey-'],
};

/**
 * The rules of secretlint's recommended preset, each by itself. They run without secretlint's core: it keeps a record of each run for ever and
 * looks for duplicates in a time that grows with the square of the findings.
 */
export const SECRETLINT_RULES: readonly SecretlintRule[] = creators
  .filter(({ meta }) => meta.type === 'scanner' && meta.id !== COMMENT_FILTER)
  .map((creator) => {
    const name = creator.meta.id.replace(PREFIX, '');
    const id = `secretlint-${name}`;
    return { id, keywords: KEYWORDS[name], run: (text, report) => run(creator, id, text, report) };
  });

async function run(creator: Creator, id: string, text: string, report: (hit: Hit) => void): Promise<void> {
  const context: Context = {
    sharedOptions: {},
    createTranslator: () => (messageId, props) => ({
      message: String(messageId),
      messageId: String(messageId),
      data: props,
    }),
    report: ({ message, range: [start, end] }) => {
      if (LEFT_OUT.has(message.messageId)) return;
      const what = `${message.messageId.replaceAll('_', ' ')} (secretlint)`;
      report({ rule: id, what, secret: text.slice(start, end), offset: start });
    },
    // Nothing in a text may ask that a finding be left out.
    ignore: () => undefined,
  };
  await creator.create(context, { enableIDScanRule: true }).file?.(sourceOf(text));
}

/** A source without a file: rules that go by the name of a file would else read that file. */
function sourceOf(content: string): Source {
  return {
    hasBOM: false,
    content,
    filePath: undefined,
    physicalFilePath: undefined,
    contentType: 'text',
    ext: '',
    getFilePath: () => undefined,
    getPhysicalFilePath: () => undefined,
    locationToRange: notOffered,
    rangeToLocation: notOffered,
    positionToIndex: notOffered,
    indexToPosition: notOffered,
  };
}

/** Only the comment filter asks for places. A rule that comes to need them must not find nothing in silence. */
function notOffered(): never {
  throw new Error('a rule of secretlint asked for what the scanner does not offer');
}
