/**
 * git runs this when a push has arrived and before it counts (githooks(5), pre-receive). It only hands on: what is to
 * become of the push is said by the gate, at the other end of descriptor 3, which the gate left open for this one push.
 * So there is no socket that anybody else could open. Every other end than "accept" refuses the push: when the gate is
 * gone, `read` meets the end of the stream.
 *
 * The word after "end" is a nonce: a name of a ref, which comes from the agent, cannot pretend to be the end of the list.
 */
export const PRE_RECEIVE = `#!/bin/sh
if [ -z "$GIT_GATE_NONCE" ] || ! { : >&3; } 2>/dev/null; then
  echo 'git-gate: this push did not come through the gate' >&2
  exit 1
fi
{
  printf 'quarantine %s\\n' "$GIT_QUARANTINE_PATH"
  cat
  printf '\\nend %s\\n' "$GIT_GATE_NONCE"
} >&3 || exit 1
while IFS= read -r line <&3; do
  case "$line" in
    'say '*) printf '%s\\n' "\${line#say }" >&2 ;;
    'accept') exit 0 ;;
    'refuse') exit 1 ;;
  esac
done
echo 'git-gate: the gate ended before it had an answer; nothing was pushed' >&2
exit 1
`;

/** One ref that is to change: from what the client believes it to be, to what it shall be. */
export interface RefChange {
  readonly old: string;
  readonly new: string;
  readonly ref: string;
}

export type HookQuestion =
  | {
      readonly ok: true;
      /** Where git keeps the objects of this push; undefined where it brings none, since it only deletes. */
      readonly quarantine: string | undefined;
      readonly changes: readonly RefChange[];
    }
  | { readonly ok: false; readonly reason: string };

/** A push that changes more refs than this is refused. */
export const MOST_CHANGES = 1000;
/** Of what the hook says, in bytes. */
export const MOST_QUESTION = 1024 ** 2;

/** Whether the hook has said all: `text` is what came so far. */
export function isWhole(text: string, nonce: string): boolean {
  return text.endsWith(`\nend ${nonce}\n`);
}

/** Reads what the hook said. Whatever is not exactly as git writes it refuses the push. */
export function parseQuestion(text: string, nonce: string): HookQuestion {
  const lines = text.slice(0, -`\nend ${nonce}\n`.length).split('\n');
  const quarantine = /^quarantine (|\/.+)$/.exec(lines.shift() ?? '')?.[1];
  if (quarantine === undefined) return { ok: false, reason: 'git says no quarantine' };
  const changes: RefChange[] = [];
  for (const line of lines) {
    if (line === '') continue;
    const [, old, next, ref] = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (.+)$/.exec(line) ?? [];
    if (old === undefined || next === undefined || ref === undefined)
      return { ok: false, reason: 'a name of a ref is malformed' };
    changes.push({ old, new: next, ref });
    if (changes.length > MOST_CHANGES) return { ok: false, reason: `more than ${MOST_CHANGES} refs in one push` };
  }
  if (changes.length === 0) return { ok: false, reason: 'it changes nothing' };
  return { ok: true, quarantine: quarantine === '' ? undefined : quarantine, changes };
}

/** Whether this stands for "no object": the ref is made, or goes away. */
export function isNone(id: string): boolean {
  return /^0+$/.test(id);
}
