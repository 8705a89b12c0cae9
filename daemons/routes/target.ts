/** A request target taken apart, in the one spelling that is both judged and sent. */
export interface Target {
  readonly ok: true;
  /** Percent-encoded where it has to be (in upper case), nowhere else; no dot segments, no empty segments but a last one. */
  readonly path: string;
  /** What follows the path, with its `?`, as it came; empty without a query. */
  readonly query: string;
  /** A segment holds `%2F`: servers disagree on whether that is a separator. */
  readonly hasEncodedSlash: boolean;
}

/** Why a target has no meaning that every server on the way would agree on. */
export interface TargetFault {
  readonly ok: false;
  readonly status: 400 | 414;
  readonly code: 'target-too-long' | 'target-malformed' | 'path-ambiguous';
  /** Continues "the request target" or "the path". */
  readonly reason: string;
}

/** Bytes of a request target (RFC 9110, 4.1 asks for 8000 at least). */
export const LONGEST_TARGET = 8192;

/**
 * Reads a request target in origin-form (RFC 9112, 3.2.1). Two spellings that RFC 3986, 6.2.2 calls the same give the same path;
 * what servers are known to read in different ways is a fault. The target of a result gives that result again.
 */
export function parseTarget(target: string): Target | TargetFault {
  if (target.length > LONGEST_TARGET) {
    return { ok: false, status: 414, code: 'target-too-long', reason: `is longer than ${LONGEST_TARGET} bytes` };
  }
  const at = target.indexOf('?');
  const query = at < 0 ? '' : target.slice(at);
  const fault = formFault(target);
  return fault === undefined ? parsePath(at < 0 ? target : target.slice(0, at), query) : malformed(fault);
}

function formFault(target: string): string | undefined {
  if (target === '') return 'is empty; it begins with "/"';
  if (target === '*') return '"*" means a server as a whole, which no route allows';
  if (!target.startsWith('/')) return 'does not begin with "/"';
  if (target.includes('#')) return 'holds a fragment ("#"), which never leaves a client';
  if (!VISIBLE.test(target)) return 'holds a space, a control character or a byte beyond ASCII; percent-encode it';
  return undefined;
}

const VISIBLE = /^[!-~]*$/;

function parsePath(raw: string, query: string): Target | TargetFault {
  if (raw.includes('\\')) return ambiguous('holds a backslash, which some servers take for a slash');
  const path = raw.includes('%') ? unreservedDecoded(raw) : raw;
  if (path === undefined) return malformed('holds a "%" that does not begin two hexadecimal digits');
  const fault = (path.includes('%') ? encodingFault(path) : undefined) ?? segmentFault(path.split('/'));
  if (fault !== undefined) return ambiguous(fault);
  return { ok: true, path, query, hasEncodedSlash: path.includes('%2F') };
}

/** With every needless percent-encoding undone and the others in upper case (RFC 3986, 6.2.2.1 and 6.2.2.2). */
function unreservedDecoded(path: string): string | undefined {
  let isWellFormed = true;
  const decoded = path.replace(/%(?:([\da-fA-F]{2})|)/g, (encoded, hex: string | undefined) => {
    if (hex === undefined) isWellFormed = false;
    const character = String.fromCharCode(Number.parseInt(hex ?? '25', 16));
    return UNRESERVED.test(character) ? character : encoded.toUpperCase();
  });
  return isWellFormed ? decoded : undefined;
}

const UNRESERVED = /^[A-Za-z0-9._~-]$/;

function encodingFault(path: string): string | undefined {
  if (/%(?:[01][\dA-F]|7F)/.test(path)) return 'holds an encoded control character';
  if (path.includes('%5C')) return 'holds an encoded backslash, which some servers take for a slash';
  if (path.includes('%3B')) return PARAMETERS;
  if (changesWhenDecodedAgain(path)) return 'is encoded twice: decoded once more it would be another path';
  return /%[89A-F]/.test(path) ? beyondAsciiFault(path) : undefined;
}

function changesWhenDecodedAgain(path: string): boolean {
  return [...path.matchAll(/%25([\dA-Fa-f]{2})/g)].some(([, hex = '']) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) || STRUCTURAL.test(character);
  });
}

/** What has a meaning of its own in a path, or ends one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a control character ends a path in some servers.
const STRUCTURAL = /[/\\;%?#\u0000-\u001f\u007f]/;

function beyondAsciiFault(path: string): string | undefined {
  const text = utf8Of(path);
  if (text === undefined) return 'holds percent-encoded bytes that are not UTF-8';
  const folded = text.normalize('NFKC');
  if (folded === text) return undefined;
  const isOther = FOLDED_INTO.some((character) => folded.split(character).length > text.split(character).length);
  return isOther || folded.split('/').some((segment) => FOLDED_DOTS.test(segment)) ? FOLDS : undefined;
}

const FOLDED_INTO = ['/', '\\', ';', '%', '?', '#'];
const FOLDED_DOTS = /^(?=.*\.)[. ]+$/;
const FOLDS = 'holds a character that some servers fold into a slash, a dot segment or another sign of a path';

function utf8Of(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function segmentFault(segments: readonly string[]): string | undefined {
  const last = segments.length - 1;
  for (let i = 1; i <= last; i += 1) {
    const segment = segments[i] ?? '';
    if (segment === '' && i < last) return 'holds "//", which some servers take for "/"';
    if (segment.includes(';')) return PARAMETERS;
    if (DOTS.test(segment)) return 'holds a dot segment; send the path that is meant';
    if (segment.includes('%2F') && segment.split('%2F').some((part) => part === '' || DOTS.test(part))) {
      return 'holds an encoded slash beside a dot segment or another slash';
    }
  }
  return undefined;
}

const PARAMETERS = 'holds ";", from where on some servers ignore a segment';

/** Also with encoded spaces, which some servers drop at the end of a name. */
const DOTS = /^(?=.*\.)(?:\.|%20)+$/;

function malformed(reason: string): TargetFault {
  return { ok: false, status: 400, code: 'target-malformed', reason };
}

function ambiguous(reason: string): TargetFault {
  return { ok: false, status: 400, code: 'path-ambiguous', reason };
}
