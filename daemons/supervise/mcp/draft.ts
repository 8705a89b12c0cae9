import { formatProblem } from '../../../config/problem.ts';
import { parseRoutes } from '../../routes/load.ts';
import type { Scanner } from '../../scanner/finding.ts';
import { withHosts } from '../pipelock-hosts.ts';
import { LONGEST_JUSTIFICATION, LONGEST_TEXT } from '../queue/limits.ts';
import type { Draft } from '../queue/submit.ts';
import { maskSecrets, tellFindings } from '../secrets.ts';
import { type Held, readTarget, type Target } from '../targets.ts';
import { byteLength, lookalikePlaces, printableText, unprintablePlace } from '../text.ts';
import type { ProposingTool, ToolInput } from './tools.ts';

/** What drafts are made with. */
export interface Drafting {
  /** The directory of the targets. */
  readonly config: string;
  readonly scanner: Scanner;
  /** What may be shown of a target. */
  readonly view: (held: Held) => Promise<string>;
}

/** A draft that is fit for the queue, or why there is none, for the agent. */
export type Drafted =
  | { readonly ok: true; readonly draft: Draft }
  /** There is nothing to propose: the target says so already. */
  | { readonly ok: 'unchanged'; readonly target: Target }
  | { readonly ok: false; readonly reason: string };

/** Who the agent is in the queue. */
export const AGENT = 'agent';

type Call = {
  readonly [Name in ProposingTool]: { readonly tool: Name; readonly input: ToolInput<Name> };
}[ProposingTool];

const TARGET_OF: Readonly<Record<ProposingTool, Target>> = {
  'egress-block': 'routes.yaml',
  'pipelock-block': 'pipelock.yaml',
  'capability-block': 'Dockerfile',
};

/** Checks what an agent proposes, and makes a draft of it. Never rejects. */
export async function draftOf(drafting: Drafting, call: Call): Promise<Drafted> {
  try {
    return await checked(drafting, call);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

async function checked({ config, scanner, view }: Drafting, call: Call): Promise<Drafted> {
  const target = TARGET_OF[call.tool];
  const { justification } = call.input;
  if (byteLength(justification) > LONGEST_JUSTIFICATION) {
    return refuse(`the justification is longer than ${LONGEST_JUSTIFICATION} bytes`);
  }
  const given = textOf(call).replaceAll('\r\n', '\n');
  if (byteLength(given) > LONGEST_TEXT) return refuse(`the text is longer than ${LONGEST_TEXT} bytes`);
  const unprintable = unprintablePlace(given);
  if (unprintable !== undefined) return refuse(unprintable);
  const held = await readTarget(config, target);
  const made = await contentOf(call, given, held);
  if (made.ok === 'unchanged') return { ok: 'unchanged', target };
  if (!made.ok) return made;
  const said = await maskSecrets(scanner, made.proposed);
  if (!said.ok) return refuse(`it cannot be told whether the text holds a secret: ${said.reason}`);
  if (said.findings.length > 0) {
    return refuse(
      `the text holds what looks like a secret, and secrets have no place in ${target} (${tellFindings(said.findings)})`,
    );
  }
  const why = await maskSecrets(scanner, printableText(justification));
  if (!why.ok) return refuse(`it cannot be told whether the justification holds a secret: ${why.reason}`);
  const current = made.current ?? (await view(held));
  const warnings = [...(made.warnings ?? []), ...lookalikePlaces(made.proposed, current)].join('\n');
  return {
    ok: true,
    draft: {
      kind: call.tool,
      source: AGENT,
      justification: why.text,
      target,
      current,
      currentHash: held.hash,
      proposed: made.proposed,
      facts: warnings === '' ? {} : { warnings },
    },
  };
}

function textOf(call: Call): string {
  switch (call.tool) {
    case 'egress-block':
      return call.input.routes_yaml;
    case 'pipelock-block':
      return call.input.hosts;
    case 'capability-block':
      return call.input.dockerfile;
  }
}

type Content =
  | {
      readonly ok: true;
      readonly proposed: string;
      /** What else is worth a look, a line each. */
      readonly warnings?: readonly string[];
      /** What it is compared with, where that is not the whole target. */
      readonly current?: string;
    }
  | { readonly ok: 'unchanged' }
  | { readonly ok: false; readonly reason: string };

/** The text that the target is to hold. */
async function contentOf(call: Call, given: string, held: Held): Promise<Content> {
  switch (call.tool) {
    case 'egress-block': {
      const loaded = await parseRoutes('routes.yaml', given);
      if (!loaded.ok) return refuse(loaded.problems.slice(0, 20).map(formatProblem).join('\n'));
      return { ok: true, proposed: given, warnings: loaded.warnings.slice(0, 20).map(formatProblem) };
    }
    case 'pipelock-block': {
      const made = withHosts(held.text, given);
      if (!made.ok) return refuse(made.faults.join('\n'));
      if (made.added === 0) return { ok: 'unchanged' };
      return { ok: true, proposed: made.proposed, current: made.current };
    }
    case 'capability-block': {
      const first = given.split('\n').find((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
      if (first !== undefined && /^\s*(FROM|ARG)\s/i.test(first)) return { ok: true, proposed: given };
      return refuse('it is not a Dockerfile: its first instruction must be FROM, or ARG before it');
    }
  }
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
