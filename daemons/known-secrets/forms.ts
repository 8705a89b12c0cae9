/** One way in which a secret may be written. */
export interface Form {
  /** For a person: `as it is`, `base64`, … */
  readonly encoding: string;
  readonly bytes: Buffer;
}

/** A secret that is held, under the name by which people know it. */
export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

/** Shorter values would be found in ordinary text. In bytes. */
export const SHORTEST_FORM = 8;

/** A line of a longer secret (a private key in PEM) counts as a secret when it has at least this many bytes. */
const SHORTEST_LINE = 32;

/**
 * What of a value is to be kept secret: the value without line breaks at its end (files have one) and, of a value of several
 * lines, each long line as well, so that neither other line breaks nor a missing header hide it.
 */
export function secretParts(value: string): readonly string[] {
  const whole = value.replace(/[\r\n]+$/, '');
  const lines = whole.split(/\r?\n/);
  if (lines.length === 1) return [whole];
  return [whole, ...lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'))];
}

/**
 * All forms of `secret` that are looked for, each once, none shorter than 8 bytes. Base64 has three alignments, since the secret
 * may begin at any byte of what was encoded; characters that depend on its neighbours are left out.
 */
export function formsOf(secret: string): readonly Form[] {
  const raw = Buffer.from(secret);
  const escaped = JSON.stringify(secret).slice(1, -1);
  const texts: readonly (readonly [string, string | Buffer])[] = [
    ['as it is', raw],
    ...inTheOtherCase(secret).map((text) => ['in the other case', text] as const),
    ...[0, 1, 2].map((before) => ['base64', base64Core(raw, before)] as const),
    ...[0, 1, 2].map((before) => ['base64url', urlSafe(base64Core(raw, before))] as const),
    ['hex', raw.toString('hex')],
    ['hex', raw.toString('hex').toUpperCase()],
    ['URL encoding', encodeURIComponent(raw.toString())],
    ['URL encoding', lowerCaseEscapes(encodeURIComponent(raw.toString()))],
    ['URL encoding of every byte', everyByteEscaped(raw)],
    ['URL encoding of every byte', lowerCaseEscapes(everyByteEscaped(raw))],
    ['JSON', escaped],
    ['JSON', escaped.replaceAll('/', '\\/')],
    // Without its last byte, it stands in either byte order.
    ['UTF-16', Buffer.from(secret, 'utf16le').subarray(0, -1)],
  ];
  const forms = new Map<string, Form>();
  for (const [encoding, text] of texts) {
    const bytes = Buffer.from(text);
    const id = bytes.toString('latin1');
    if (bytes.length >= SHORTEST_FORM && !forms.has(id)) forms.set(id, { encoding, bytes });
  }
  return [...forms.values()];
}

/** A secret of one case, such as hex digits, in the other one: who gets it turns it back. Of mixed case there is none that does not lose something. */
function inTheOtherCase(secret: string): readonly string[] {
  const [lower, upper] = [secret.toLowerCase(), secret.toUpperCase()];
  if (secret === lower) return [upper];
  return secret === upper ? [lower] : [];
}

/** The base64 characters that `raw` alone decides when `before` (0 to 2) bytes stand before it: RFC 4648 section 4, six bits each. */
function base64Core(raw: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), raw]).toString('base64');
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + raw.length) * 8) / 6));
}

/** RFC 4648 section 5. */
function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}

function everyByteEscaped(raw: Buffer): string {
  return raw.toString('hex').toUpperCase().replace(/../g, '%$&');
}

function lowerCaseEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase());
}
