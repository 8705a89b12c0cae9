/** Placeholders such as `ghp_xxxxxxxx` are written where a token belongs. A real token has many different characters. */
const FEWEST_DIFFERENT = 8;

export function isVaried(secret: string): boolean {
  let different = '';
  for (let i = 0; i < secret.length && different.length < FEWEST_DIFFERENT; i++) {
    const character = secret.charAt(i);
    if (!different.includes(character)) different += character;
  }
  return different.length === FEWEST_DIFFERENT;
}

/** Upper case, lower case and digits: words joined by hyphens have not all of them. */
export function isMixed(secret: string): boolean {
  return /[A-Z]/.test(secret) && /\d/.test(secret) && /[a-z]/.test(secret) && isVaried(secret);
}

export function isLettersAndDigits(secret: string): boolean {
  return /\d/.test(secret) && /[A-Za-z]/.test(secret) && isVaried(secret);
}

/** Whether the header of a JSON Web Token (RFC 7519) names an algorithm that signs. */
export function isSignedToken(token: string): boolean {
  const header = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('latin1');
  return /"alg"\s*:\s*"(?!none")/i.test(header);
}

/** Whether this is base64 of `user:password`, as Docker keeps a login. */
export function isAccountWithPassword(base64: string): boolean {
  return /^[\x21-\x39\x3b-\x7e]{1,255}:[\x20-\x7e]{4,}$/.test(Buffer.from(base64, 'base64').toString('latin1'));
}

/** Shorter than any key: Ed25519 in PKCS #8 has 64 characters. */
const SHORTEST_KEY = 60;

/**
 * The base64 characters of a private key, given what stands between its BEGIN and END lines: without header lines (RFC 1421), line
 * breaks, quotes and the escapes of a string literal. `undefined` where there is no key.
 */
export function privateKeyBody(text: string): string | undefined {
  const body = text.replace(/\\[nrt]/g, '\n').replace(/^[\s"']*[A-Za-z-]{1,40}: .*$/gm, '');
  if (!/[A-Za-z0-9+/]{32}/.test(body)) return undefined;
  const characters = body.replace(/[^A-Za-z0-9+/]/g, '');
  return characters.length >= SHORTEST_KEY && isVaried(characters) ? characters : undefined;
}
