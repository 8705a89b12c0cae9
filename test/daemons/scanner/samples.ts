import { randomInt } from 'node:crypto';

export const LOWER = 'abcdefghijklmnopqrstuvwxyz';
export const UPPER = LOWER.toUpperCase();
export const DIGITS = '0123456789';
export const ALNUM = LOWER + UPPER + DIGITS;
export const HEX = `${DIGITS}abcdef`;
export const BASE32 = `${UPPER}234567`;

/** A made-up token: `length` characters of `alphabet`, of every kind that it has. */
export function random(alphabet: string, length: number): string {
  const kinds = [LOWER, UPPER, DIGITS].map((kind) => [...kind].filter((letter) => alphabet.includes(letter)));
  const characters = kinds.filter((kind) => kind.length > 0).map((kind) => pick(kind));
  while (characters.length < length) {
    const rest = [...alphabet].filter((letter) => !characters.includes(letter));
    characters.push(pick(rest.length > 0 ? rest : [...alphabet]));
  }
  return characters.slice(0, length).join('');
}

function pick(from: readonly string[]): string {
  return from[randomInt(from.length)] ?? '';
}

/** A text that has a secret, and one that almost has it. Both are made when the test runs. */
export interface Sample {
  readonly secret: string;
  readonly nearMiss: string;
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A signed JSON Web Token; `alg` none makes it one that is not signed. */
export function webToken(alg: string): string {
  return `${encode({ alg, typ: 'JWT' })}.${encode({ sub: random(ALNUM, 12) })}.${random(ALNUM, 43)}`;
}

/** A private key in PEM, of lines of 64 characters. */
export function pem(label: string, body: string): string {
  return [`-----BEGIN ${label}-----`, ...(body.match(/.{1,64}/g) ?? []), `-----END ${label}-----`, ''].join('\n');
}

/** For each rule of our own. The prefixes are split so that no scanner takes this file for a place of secrets. */
export const SAMPLES: Readonly<Record<string, () => Sample>> = {
  'anthropic-key': () => prefixed(`sk-${'ant'}-oat01-`, ALNUM, 95, 20),
  'openai-key': () => prefixed(`sk-${'proj'}-`, ALNUM, 120, 30),
  'openai-legacy-key': () => {
    const [begin, end] = [random(ALNUM, 20), random(ALNUM, 20)];
    return { secret: `sk-${begin}${'T3Blbk'}FJ${end}`, nearMiss: `sk_${begin}${'T3Blbk'}FJ${end}` };
  },
  'openrouter-key': () => prefixed(`sk-${'or'}-v1-`, HEX, 64, 63),
  'groq-key': () => prefixed(`${'gs'}k_`, ALNUM, 52, 51),
  'xai-key': () => prefixed(`${'xa'}i-`, ALNUM, 80, 79),
  'perplexity-key': () => prefixed(`${'pp'}lx-`, ALNUM, 48, 47),
  'replicate-token': () => prefixed(`${'r'}8_`, ALNUM, 37, 36),
  'huggingface-token': () => prefixed(`${'h'}f_`, LOWER + UPPER, 34, 33),
  'huggingface-org-token': () => prefixed(`${'api'}_org_`, LOWER + UPPER, 34, 33),
  'google-api-key': () => prefixed(`${'AI'}za`, ALNUM, 35, 34),
  'github-token': () => prefixed(`${'gh'}p_`, ALNUM, 36, 35),
  'github-fine-grained-token': () => prefixed(`${'github'}_pat_`, ALNUM, 82, 81),
  'gitlab-token': () => prefixed(`${'gl'}pat-`, ALNUM, 20, 19),
  'gitlab-runner-token': () => prefixed(`${'GR'}1348941`, ALNUM, 20, 19),
  'atlassian-token': () => prefixed(`${'ATA'}TT3`, ALNUM, 180, 90),
  'npm-token': () => prefixed(`${'np'}m_`, ALNUM, 36, 35),
  'npm-auth-token': () => ({
    secret: `//registry.example/:${'_auth'}Token=${random(ALNUM, 24)}`,
    nearMiss: `//registry.example/:${'_auth'}Token=\${TOKEN_FROM_ENVIRONMENT}`,
  }),
  'pypi-token': () => prefixed(`${'py'}pi-AgEIcHlwaS5vcmc`, ALNUM, 120, 20),
  'rubygems-key': () => prefixed(`${'ruby'}gems_`, HEX, 48, 47),
  'docker-token': () => prefixed(`${'dckr'}_pat_`, ALNUM, 27, 26),
  'docker-auth': () => ({
    secret: `{"auths":{"r.example":{"auth":"${Buffer.from(`joe:${random(ALNUM, 12)}`).toString('base64')}"}}}`,
    nearMiss: `{"auths":{"r.example":{"auth":"${Buffer.from(random(ALNUM, 18)).toString('base64')}"}}}`,
  }),
  'aws-access-key-id': () => prefixed(`${'AK'}IA`, BASE32, 16, 15),
  'aws-secret-access-key': () => {
    const key = random(ALNUM, 40);
    return { secret: `aws_${'secret'}_access_key = ${key}`, nearMiss: `aws_${'secret'}_access_key = ${key.slice(1)}` };
  },
  'google-oauth-secret': () => prefixed(`${'GOC'}SPX-`, ALNUM, 28, 27),
  'google-oauth-token': () => prefixed(`${'ya'}29.`, ALNUM, 120, 40),
  'azure-storage-key': () => {
    const key = random(ALNUM, 86);
    return { secret: `${'Account'}Key=${key}==`, nearMiss: `${'Account'}Key=${key.slice(1)}==` };
  },
  'digitalocean-token': () => prefixed(`${'do'}p_v1_`, HEX, 64, 63),
  'heroku-key': () => prefixed(`${'HR'}KU-`, ALNUM, 40, 35),
  'fly-token': () => prefixed(`${'fo'}1_`, ALNUM, 43, 42),
  'cloudflare-token': () => {
    const begin = `${'cf'}ut_${random(ALNUM, 40)}`;
    return { secret: `${begin}${random(HEX, 8)}`, nearMiss: `${begin}zzzzzzzz` };
  },
  'cloudflare-origin-key': () => prefixed(`${'v1'}.0-${random(HEX, 24)}-`, HEX, 146, 145),
  'vercel-token': () => prefixed(`${'vc'}p_`, ALNUM, 56, 19),
  'netlify-token': () => prefixed(`${'nf'}p_`, ALNUM, 36, 35),
  'supabase-key': () => prefixed(`${'sb'}p_`, HEX, 40, 39),
  'planetscale-token': () => prefixed(`${'pscale'}_tkn_`, ALNUM, 43, 31),
  'databricks-token': () => prefixed(`${'da'}pi`, HEX, 32, 31),
  'pulumi-token': () => prefixed(`${'pu'}l-`, HEX, 40, 39),
  'terraform-token': () => prefixed(`${random(ALNUM, 14)}.${'atlas'}v1.`, ALNUM, 67, 50),
  'vault-token': () => prefixed(`${'hv'}s.`, ALNUM, 95, 60),
  'doppler-token': () => prefixed(`${'dp'}.pt.`, ALNUM, 43, 39),
  'onepassword-token': () => prefixed(`${'op'}s_eyJ`, ALNUM, 250, 90),
  'tailscale-key': () => prefixed(`${'ts'}key-auth-${random(ALNUM, 12)}-`, ALNUM, 32, 15),
  'age-key': () => prefixed(`${'AGE'}-SECRET-KEY-1`, 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58, 57),
  'e2b-key': () => prefixed(`${'e2'}b_`, HEX, 40, 39),
  'slack-token': () => prefixed(`${'xo'}xb-${random(DIGITS, 10)}-`, ALNUM, 24, 4),
  'slack-webhook': () =>
    prefixed(`https://${'hooks'}.slack.com/services/${random(BASE32, 9)}/${random(BASE32, 9)}/`, ALNUM, 24, 15),
  'discord-webhook': () => prefixed(`https://${'disc'}ord.com/api/webhooks/${random(DIGITS, 18)}/`, ALNUM, 68, 40),
  'telegram-bot-token': () => prefixed(`${random(DIGITS, 10)}:${'AA'}`, ALNUM, 33, 32),
  'notion-token': () => prefixed(`${'nt'}n_${random(DIGITS, 11)}`, ALNUM, 35, 34),
  'linear-key': () => prefixed(`${'lin'}_api_`, ALNUM, 40, 31),
  'figma-token': () => prefixed(`${'fi'}gd_`, ALNUM, 40, 35),
  'postman-key': () => prefixed(`${'PM'}AK-${random(HEX, 24)}-`, HEX, 34, 33),
  'stripe-key': () => prefixed(`${'sk'}_live_`, ALNUM, 24, 23),
  'stripe-webhook-secret': () => prefixed(`${'wh'}sec_`, ALNUM, 32, 31),
  'square-token': () => prefixed(`${'sq'}0atp-`, ALNUM, 22, 21),
  'shopify-token': () => prefixed(`${'sh'}pat_`, HEX, 32, 31),
  'sendgrid-key': () => prefixed(`${'S'}G.${random(ALNUM, 22)}.`, ALNUM, 43, 42),
  'brevo-key': () => prefixed(`${'xkey'}sib-${random(HEX, 64)}-`, ALNUM, 16, 15),
  'grafana-token': () => prefixed(`${'gl'}sa_${random(ALNUM, 32)}_`, HEX, 8, 7),
  'sentry-token': () => prefixed(`${'sn'}tryu_`, HEX, 64, 50),
  'newrelic-key': () => prefixed(`${'NR'}AK-`, UPPER + DIGITS, 27, 26),
  'json-web-token': () => ({ secret: webToken('HS256'), nearMiss: webToken('none') }),
  'private-key': () => ({
    secret: pem(`RSA ${'PRIVATE'} KEY`, random(ALNUM, 600)),
    nearMiss: pem(`RSA ${'PUBLIC'} KEY`, random(ALNUM, 600)),
  }),
  'putty-private-key': () => ({
    secret: `${'Private'}-Lines: 1\n${random(ALNUM, 64)}\n`,
    nearMiss: `Public-Lines: 1\n${random(ALNUM, 64)}\n`,
  }),
};

function prefixed(prefix: string, alphabet: string, length: number, tooShort: number): Sample {
  return { secret: prefix + random(alphabet, length), nearMiss: prefix + random(alphabet, tooShort) };
}
