import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SecretFinding } from '../../../daemons/scanner/finding.ts';
import { TOKEN_RULES } from '../../../daemons/scanner/rules.ts';
import { scanBytes } from '../../../daemons/scanner/scan.ts';
import { SECRETLINT_RULES } from '../../../daemons/scanner/secretlint.ts';
import { ALNUM, pem, random, SAMPLES, webToken } from './samples.ts';

async function findings(text: string | Buffer): Promise<readonly SecretFinding[]> {
  const result = await scanBytes(Buffer.from(text), [], 1e6);
  assert.ok(result.ok);
  return result.findings;
}

describe('rules for kinds of tokens', () => {
  it('have a sample each', () => {
    assert.deepEqual(
      TOKEN_RULES.map(({ id }) => id).filter((id) => SAMPLES[id] === undefined),
      [],
    );
    assert.equal(new Set(TOKEN_RULES.map(({ id }) => id)).size, TOKEN_RULES.length);
  });

  for (const { id } of TOKEN_RULES) {
    it(`${id}: finds its token in a text, at its place, and not what is almost one`, async () => {
      const sample = SAMPLES[id]?.();
      assert.ok(sample !== undefined);
      const found = await findings(`first line\n  here: ${sample.secret}\nlast line\n`);
      const finding = found.find(({ rule }) => rule === id);
      assert.ok(finding !== undefined, `found ${found.map(({ rule }) => rule)}`);
      assert.equal(finding.line, 2);
      assert.match(finding.fingerprint, /^[0-9a-f]{64}$/);
      const missed = await findings(`first line\n  here: ${sample.nearMiss}\nlast line\n`);
      assert.ok(!missed.some(({ rule }) => rule === id));
    });
  }

  it('find a token within other letters, since a letter is easily put there', async () => {
    for (const id of ['github-token', 'anthropic-key', 'google-api-key', 'aws-access-key-id']) {
      const found = await findings(`x${SAMPLES[id]?.().secret}x`);
      assert.ok(
        found.some(({ rule }) => rule === id),
        id,
      );
    }
  });

  it('find a private key below header lines, in a file and in JSON', async () => {
    const body = random(ALNUM, 600);
    const headers = 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n';
    const text = pem(`RSA ${'PRIVATE'} KEY`, body).replace('\n', `\n${headers}`);
    const comment = 'Version: GnuPG v2\nComment: made on a-b\n\n';
    const pgp = pem(`PGP ${'PRIVATE'} KEY BLOCK`, body).replace('\n', `\n${comment}`);
    for (const way of [text, text.replaceAll('\n', '\r\n'), JSON.stringify(text), pgp])
      assert.ok(
        (await findings(way)).some(({ rule }) => rule === 'private-key'),
        way,
      );
  });

  it('pass over placeholders', async () => {
    const texts = [
      `${'gh'}p_${'x'.repeat(36)}`,
      `${'AK'}IAIOSFODNN7EXAMPLE`,
      `${'sk'}-ant-api03-${'your-key-here-'.repeat(5)}`,
    ];
    for (const text of texts) assert.deepEqual(await findings(text), [], text);
  });

  it('tell one secret once, whatever the number of places and rules', async () => {
    const token = `${'gh'}p_${random(ALNUM, 36)}`;
    assert.equal((await findings(`a ${token}\nb ${token}\nc ${token}\n`)).length, 1);
  });

  it('give the same fingerprint to the same secret wherever it stands, and another to another', async () => {
    const [one, two] = [webToken('HS256'), webToken('HS256')];
    const [here, there, other] = await Promise.all([findings(one), findings(`\n\n x=${one};`), findings(two)]);
    assert.equal(here[0]?.fingerprint, there[0]?.fingerprint);
    assert.notEqual(here[0]?.fingerprint, other[0]?.fingerprint);
  });

  it('give one private key one fingerprint, with line breaks or with escapes for them', async () => {
    const key = SAMPLES['private-key']?.().secret ?? '';
    const [lines, json] = await Promise.all([findings(key), findings(JSON.stringify({ private_key: key }))]);
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.fingerprint, json[0]?.fingerprint);
  });

  it('say the line and the column in bytes', async () => {
    const [finding] = await findings(`één\nzwei ü: ${'gh'}p_${random(ALNUM, 36)}`);
    assert.deepEqual([finding?.line, finding?.column], [2, 10]);
  });
});

describe("secretlint's rules", () => {
  const SECRETS: Readonly<Record<string, () => string>> = {
    'secretlint-basicauth': () => `https://joe:${random(ALNUM, 12)}@git.example.com/`,
    'secretlint-database-connection-string': () => `postgresql://joe:${random(ALNUM, 12)}@db.example.com:5432/app`,
    'secretlint-npm': () => `https://${random(ALNUM, 20)}:x-oauth-basic@github.com/a/b`,
    'secretlint-vercel': () => `${'vc'}p_${random(ALNUM, 22)}`,
    'secretlint-linear': () => `${'lin'}_api_${random(ALNUM, 10)}_${random(ALNUM, 30)}`,
    'secretlint-aws': () => `${'AR'}OA${random('ABCDEFGHIJKLMNOPQRSTUVWXYZ', 16)}`,
    'secretlint-shopify': () => `${'sh'}pat_${random(ALNUM, 32)}`,
    'secretlint-databricks': () => `${'da'}pi${random('0123456789ABCDEF', 32)}`,
  };

  for (const [id, secret] of Object.entries(SECRETS)) {
    it(`${id} finds what our own rules do not`, async () => {
      const found = await findings(`here: ${secret()}\n`);
      assert.ok(
        found.some(({ rule }) => rule === id),
        `found ${found.map(({ rule }) => rule)}`,
      );
      assert.ok(!found.some(({ rule }) => TOKEN_RULES.some((own) => own.id === rule)));
    });
  }

  it('run whenever one of their keywords stands in the text: no rule is without', () => {
    const unknown = SECRETLINT_RULES.filter(({ keywords }) => keywords === undefined).map(({ id }) => id);
    assert.deepEqual(unknown, [], 'a rule that is new in secretlint runs on every text; give it keywords');
  });

  it('find in a text what they find by themselves: the keywords keep nothing from them', async () => {
    const texts = [
      ...Object.values(SAMPLES).map((sample) => sample().secret),
      ...Object.values(SECRETS).map((secret) => secret()),
    ];
    for (const text of texts) {
      for (const rule of SECRETLINT_RULES) {
        let finds = false;
        await rule.run(text, () => {
          finds = true;
        });
        if (!finds) continue;
        const folded = text.toLowerCase();
        assert.ok(
          rule.keywords?.some((word) => folded.includes(word.toLowerCase())),
          `${rule.id}: ${text}`,
        );
      }
    }
  });

  it('do not take account ids for secrets', async () => {
    assert.deepEqual(await findings('aws_account_id = 1234-5678-9012\n'), []);
  });
});
