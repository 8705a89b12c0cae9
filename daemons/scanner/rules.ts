import {
  isAccountWithPassword,
  isLettersAndDigits,
  isMixed,
  isSignedToken,
  isVaried,
  privateKeyBody,
} from './plausible.ts';
import { withAnyNext } from './prefilter.ts';

/** How one kind of secret is recognised. */
export interface TokenRule {
  readonly id: string;
  /** For a person. */
  readonly what: string;
  /** A match begins with one of these, in upper or lower case; each has at least 4 characters. */
  readonly starts: readonly string[];
  /**
   * Sticky: tried at each start. Its group 1, or else the whole match, is the secret. Every repetition has a bound or cannot
   * overlap with what follows it, so that no text makes it slow.
   */
  readonly pattern: RegExp;
  /** Tells a secret from an example or a placeholder. Without one, a secret has at least 8 different characters. */
  readonly isPlausible?: (secret: string) => boolean;
  /** What of the match is the secret where line breaks and quotes may be written in several ways. */
  readonly normalize?: (secret: string) => string;
}

/**
 * Rules of our own. Prefixes and lengths are those that the issuers document or that their tokens show. Most need no boundary
 * before or after the token, since a letter put there must not hide it. Those that could be part of any base64 text have one.
 */
export const TOKEN_RULES: readonly TokenRule[] = [
  // Model providers
  rule(
    'anthropic-key',
    'Anthropic key or OAuth token',
    ['sk-ant-'],
    /sk-ant-(?:api|oat|ort|admin|sid)\d{2}-[\w-]{32,200}/y,
    { isPlausible: isMixed },
  ),
  rule(
    'openai-key',
    'OpenAI API key',
    ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-None-'],
    /sk-(?:proj|svcacct|admin|None)-[\w-]{40,200}/y,
    { isPlausible: isMixed },
  ),
  rule(
    'openai-legacy-key',
    'OpenAI API key (old form)',
    ['T3BlbkFJ'],
    /(?<=sk-[A-Za-z0-9]{20})T3BlbkFJ[A-Za-z0-9]{20}/y,
  ),
  rule('openrouter-key', 'OpenRouter API key', ['sk-or-v1-'], /sk-or-v1-[0-9a-f]{64}/y),
  rule('groq-key', 'Groq API key', ['gsk_'], /gsk_[A-Za-z0-9]{52}/y),
  rule('xai-key', 'xAI API key', ['xai-'], /xai-[A-Za-z0-9]{80}/y),
  rule('perplexity-key', 'Perplexity API key', ['pplx-'], /pplx-[A-Za-z0-9]{48}/y),
  rule('replicate-token', 'Replicate API token', withAnyNext('r8_'), /r8_[A-Za-z0-9]{37}/y),
  rule('huggingface-token', 'Hugging Face token', withAnyNext('hf_'), /hf_[A-Za-z]{34}/y),
  rule('huggingface-org-token', 'Hugging Face organisation token', ['api_org_'], /api_org_[A-Za-z]{34}/y),
  rule('google-api-key', 'Google API key', ['AIza'], /(?<![A-Za-z0-9+/]{20})AIza[\w-]{35}(?![A-Za-z0-9+/]{20})/y),

  // Code hosting
  rule('github-token', 'GitHub token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], /gh[pousr]_[A-Za-z0-9]{36}/y),
  rule('github-fine-grained-token', 'GitHub fine-grained token', ['github_pat_'], /github_pat_\w{82}/y),
  rule(
    'gitlab-token',
    'GitLab token',
    [
      'glpat-',
      'glptt-',
      'gldt-',
      'glrt-',
      'glrtr-',
      'glcbt-',
      'glimt-',
      'glsoat-',
      'glft-',
      'glagent-',
      'gloas-',
      'glffct-',
    ],
    /gl(?:pat|ptt|dt|rtr?|cbt|imt|soat|ft|agent|oas|ffct)-[\w-]{20,128}/y,
  ),
  rule('gitlab-runner-token', 'GitLab runner registration token', ['GR1348941'], /GR1348941[\w-]{20}/y),
  rule(
    'atlassian-token',
    'Atlassian or Bitbucket token',
    ['ATATT3', 'ATCTT3', 'ATBB'],
    /AT(?:ATT3|CTT3)[\w=-]{100,200}|(?<![A-Za-z0-9+/]{20})ATBB[A-Za-z0-9]{32}(?![A-Za-z0-9+/]{20})/y,
  ),

  // Packages and delivery
  rule('npm-token', 'npm access token', ['npm_'], /npm_[A-Za-z0-9]{36}/y),
  rule(
    'npm-auth-token',
    'token in an npm configuration',
    ['_authtoken'],
    /_authToken\s{0,5}[=:]\s{0,5}["']?([^\s"'${<][^\s"'<]{15,255})/iy,
  ),
  rule('pypi-token', 'PyPI upload token', ['pypi-AgE'], /pypi-AgE[\w-]{50,255}/y),
  rule('rubygems-key', 'RubyGems API key', ['rubygems_'], /rubygems_[0-9a-f]{48}/y),
  rule('docker-token', 'Docker Hub token', ['dckr_pat_', 'dckr_oat_'], /dckr_[po]at_[\w-]{27,32}/y),
  rule(
    'docker-auth',
    'registry login in a Docker configuration',
    ['"auth"'],
    /"auth"\s{0,5}:\s{0,5}"([A-Za-z0-9+/]{12,2000}={0,2})"/y,
    {
      isPlausible: isAccountWithPassword,
    },
  ),

  // Clouds
  rule(
    'aws-access-key-id',
    'AWS access key id',
    ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    /(?<![A-Za-z0-9+/]{20})(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9+/]{20})/y,
    { isPlausible: (id) => id !== 'AKIAIOSFODNN7EXAMPLE' && isVaried(id) },
  ),
  rule(
    'aws-secret-access-key',
    'AWS secret access key',
    ['secret_access_key', 'secretaccesskey', 'secret-access-key', 'secret access key'],
    /secret[ _-]?access[ _-]?key[\s"'`:=>,[\]({]{1,16}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/iy,
    { isPlausible: (key) => key !== 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' && isMixed(key) },
  ),
  rule('google-oauth-secret', 'Google OAuth client secret', ['GOCSPX-'], /GOCSPX-[\w-]{28}/y),
  rule('google-oauth-token', 'Google OAuth access token', ['ya29.'], /ya29\.[\w-]{60,255}/y),
  rule('azure-storage-key', 'Azure storage key', ['AccountKey='], /AccountKey=([A-Za-z0-9+/]{86}==)/iy),
  rule('digitalocean-token', 'DigitalOcean token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], /do[opr]_v1_[0-9a-f]{64}/y),
  rule('heroku-key', 'Heroku API key', ['HRKU-'], /HRKU-[\w-]{36,80}/y),
  rule('fly-token', 'Fly.io token', ['fo1_', 'fm2_'], /fo1_[\w-]{43}|fm2_[A-Za-z0-9+/]{100,1000}/y),
  rule('cloudflare-token', 'Cloudflare token', ['cfk_', 'cfut_', 'cfat_'], /cf(?:k|ut|at)_[A-Za-z0-9]{40}[0-9a-f]{8}/y),
  rule('cloudflare-origin-key', 'Cloudflare Origin CA key', ['v1.0-'], /v1\.0-[0-9a-f]{24}-[0-9a-f]{146}/y),
  rule('vercel-token', 'Vercel token', ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'], /vc[piark]_[A-Za-z0-9]{24,60}/y),
  rule('netlify-token', 'Netlify token', ['nfp_', 'nfc_', 'nfb_'], /nf[pcb]_[A-Za-z0-9]{36}/y),
  rule('supabase-key', 'Supabase key', ['sbp_', 'sb_secret_'], /sbp_[0-9a-f]{40}|sb_secret_[\w-]{31}/y),
  rule('planetscale-token', 'PlanetScale token or password', ['pscale_'], /pscale_(?:tkn|oauth|pw)_[\w.=-]{32,64}/y),
  rule('databricks-token', 'Databricks token', ['dapi'], /dapi[0-9a-f]{32}/y),
  rule('pulumi-token', 'Pulumi token', ['pul-'], /pul-[0-9a-f]{40}/y),
  rule('terraform-token', 'Terraform Cloud token', ['.atlasv1.'], /\.atlasv1\.[\w-]{60,80}/y),
  rule('vault-token', 'HashiCorp Vault token', ['hvs.', 'hvb.', 'hvr.'], /hv[sbr]\.[\w-]{90,300}/y),
  rule(
    'doppler-token',
    'Doppler token',
    ['dp.pt.', 'dp.st.', 'dp.ct.', 'dp.sa.', 'dp.scim.', 'dp.audit.'],
    /dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{2,35}\.)?[A-Za-z0-9]{40,44}/y,
  ),
  rule('onepassword-token', '1Password service account token', ['ops_ey'], /ops_eyJ[A-Za-z0-9+/=]{100,2000}/y),
  rule('tailscale-key', 'Tailscale key', ['tskey-'], /tskey-[a-z]{2,20}-\w{8,40}-\w{16,60}/y),
  rule('age-key', 'age secret key', ['AGE-SECRET-KEY-1'], /AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}/iy),
  rule('e2b-key', 'E2B API key', ['e2b_'], /e2b_[0-9a-f]{40}/y),

  // Messages and notes
  rule(
    'slack-token',
    'Slack token',
    ['xoxa-', 'xoxb-', 'xoxc-', 'xoxd-', 'xoxe-', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xoxe.', 'xapp-'],
    /(?:xox[abcdeoprs]|xapp|xoxe\.xox[bp])-[\w%-]{24,300}/y,
    { isPlausible: isLettersAndDigits },
  ),
  rule(
    'slack-webhook',
    'Slack webhook',
    ['hooks.slack.com/'],
    /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9]{3,40}\/[A-Za-z0-9]{3,40}\/[A-Za-z0-9]{16,40}/iy,
  ),
  rule(
    'discord-webhook',
    'Discord webhook',
    ['discord.com/api/', 'discordapp.com/api/'],
    /discord(?:app)?\.com\/api\/(?:v\d{1,2}\/)?webhooks\/\d{17,20}\/[\w-]{60,80}/y,
  ),
  rule('telegram-bot-token', 'Telegram bot token', withAnyNext(':AA'), /(?<=\d{8,10}):AA[\w-]{33}/y),
  rule('notion-token', 'Notion token', ['ntn_', 'secret_'], /ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}/y, {
    isPlausible: isMixed,
  }),
  rule('linear-key', 'Linear API key', ['lin_api_', 'lin_oauth_'], /lin_(?:api|oauth)_[A-Za-z0-9]{32,64}/y),
  rule('figma-token', 'Figma token', ['figd_', 'figo_'], /fig[do]_[\w-]{36,200}/y),
  rule('postman-key', 'Postman API key', ['PMAK-'], /PMAK-[0-9a-f]{24}-[0-9a-f]{34}/y),

  // Money, mail and shops
  rule(
    'stripe-key',
    'Stripe key',
    ['sk_live_', 'rk_live_', 'sk_test_', 'rk_test_'],
    /[sr]k_(?:live|test)_[A-Za-z0-9]{24,255}/y,
  ),
  rule('stripe-webhook-secret', 'Stripe webhook secret', ['whsec_'], /whsec_[A-Za-z0-9+/=]{32,64}/y),
  rule('square-token', 'Square token', ['sq0atp-', 'sq0csp-'], /sq0(?:atp-[\w-]{22}|csp-[\w-]{43})/y),
  rule(
    'shopify-token',
    'Shopify token',
    ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
    /shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}/y,
  ),
  rule('sendgrid-key', 'SendGrid API key', withAnyNext('SG.'), /SG\.[\w-]{22}\.[\w-]{43}/y),
  rule('brevo-key', 'Brevo key', ['xkeysib-', 'xsmtpsib-'], /x(?:key|smtp)sib-[0-9a-f]{64}-[A-Za-z0-9]{16}/y),

  // Watching
  rule(
    'grafana-token',
    'Grafana token',
    ['glc_', 'glsa_'],
    /glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{60,400}/y,
  ),
  rule('sentry-token', 'Sentry token', ['sntrys_', 'sntryu_'], /sntrys_[\w+/=]{60,500}|sntryu_[0-9a-f]{64}/y),
  rule('newrelic-key', 'New Relic key', ['NRAK-'], /NRAK-[A-Z0-9]{27}/y),

  // Any issuer
  rule(
    'json-web-token',
    'JSON Web Token',
    withAnyNext('eyJ'),
    /(?<![\w-]{20})eyJ[\w-]{10,4000}\.eyJ[\w-]{10,8000}\.[\w-]{22,2000}/y,
    {
      isPlausible: isSignedToken,
    },
  ),
  rule(
    'private-key',
    'private key',
    ['-----BEGIN '],
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----((?:(?:\s|\\[nrt]){0,8}[A-Za-z-]{1,40}: [^\n\\]{0,200}(?:\n|\\r\\n|\\n)){0,8}[^-]{60,20000})(?:-----END [A-Z0-9 ]{0,60}-----)?/y,
    {
      isPlausible: (body) => privateKeyBody(body) !== undefined,
      normalize: (body) => privateKeyBody(body) ?? body,
    },
  ),
  rule(
    'putty-private-key',
    'PuTTY private key',
    ['Private-Lines:'],
    /Private-Lines: ?\d{1,4}\s{1,4}([A-Za-z0-9+/=\s]{60,8000})/y,
    {
      normalize: (body) => body.replace(/\s/g, ''),
    },
  ),
];

function rule(
  id: string,
  what: string,
  starts: readonly string[],
  pattern: RegExp,
  more: Pick<TokenRule, 'isPlausible' | 'normalize'> = {},
): TokenRule {
  return { id, what, starts, pattern, ...more };
}
