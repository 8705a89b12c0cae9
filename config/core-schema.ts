import type { ScalarNode } from './node.ts';

const INTEGER = /^[-+]?\d+$/;
const OTHER_BASE = /^0(o[0-7]+|x[\da-fA-F]+)$/;
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i;
const INFINITE = /^([-+])?\.(inf|Inf|INF)$/;

/** The value of an unquoted text in YAML 1.2 (section 10.3.2, "Tag Resolution"). */
export function typed(text: string): ScalarNode['value'] {
  if (/^(|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (INTEGER.test(text) || OTHER_BASE.test(text) || FLOAT.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^\.(nan|NaN|NAN)$/.test(text) ? Number.NaN : text;
}
