import { typed } from './core-schema.ts';
import { type Entry, type ListNode, type MapNode, type Node, type ScalarNode, sizeOf } from './node.ts';

/**
 * Reads YAML as bundle files are mostly written: block maps and lists, flow ones on one line, texts on one line. For
 * anything else, and for every fault, the answer is `undefined`, and the full parser has the word. It exists because PID 1
 * reads its file at each start, and this is ten times as fast; what it reads, it reads exactly as the full parser does.
 */
export function readPlainYaml(text: string): Node | undefined {
  if (UNUSUAL.test(text)) return undefined;
  return new PlainReader(text).document();
}

/** Tabs, other line ends and control characters, and what is outside the basic plane. */
const UNUSUAL = /[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe]/;
const KEY = /[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}/y;
const SINGLE = /'([^'\n]*)'/y;
const DOUBLE = /"([^"\\\n]*)"/y;
const BLOCK_TEXT = /(?:[A-Za-z0-9_./$~+^;()=<\\]|-[A-Za-z0-9_./-])[^\n]*/y;
const FLOW_TEXT = /(?:[A-Za-z0-9_./$~+^;()=<\\]|-[A-Za-z0-9_./-])[^\n,[\]{}]*/y;
const NO_TEXT = /: |:$| #/;
const SPACES = / */y;
const TO_LINE_END = /(?: +#[^\n]*| *)(?:\n|$)/y;
const DEEPEST = 32;
