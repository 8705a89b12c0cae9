import * as z from 'zod/mini';
import { key } from '../../../config/values.ts';
import { routesReference } from '../../routes/json-schema.ts';
import { LONGEST_JUSTIFICATION, LONGEST_TEXT } from '../queue/limits.ts';

/** What the agent can ask for: names, descriptions and schemas of the tools. */

const justification = key(
  z.string().check(z.minLength(1), z.maxLength(LONGEST_JUSTIFICATION)),
  `Why you need it, for the person who decides: what you tried, what was refused, what you will do with it. At most ${LONGEST_JUSTIFICATION} bytes, and no secrets.`,
);

const text = (description: string) => key(z.string().check(z.minLength(1), z.maxLength(LONGEST_TEXT)), description);

const inputs = {
  'list-egress-routes': z.strictObject({}),
  'egress-block': z.strictObject({
    routes_yaml: text('The whole new routes.yaml: all routes that are to hold, those that are there now included.'),
    justification,
  }),
  'pipelock-block': z.strictObject({
    hosts: text(
      'Hosts to let through in addition, one a line: a name (api.example.com) or all names below one (*.example.com), without scheme, port or path. "#" begins a comment.',
    ),
    justification,
  }),
  'capability-block': z.strictObject({
    dockerfile: text(
      'The whole new Dockerfile of your container; the one that holds is the resource bottle:///config/Dockerfile.',
    ),
    justification,
  }),
  'check-proposal': z.strictObject({
    id: key(z.string().check(z.minLength(1), z.maxLength(32)), 'The id of the proposal, e.g. "p-7kq2".'),
    wait: key(
      z.optional(z.boolean()),
      'true: wait for the decision as the proposing call does, instead of answering at once.',
    ),
  }),
} as const;

export type ToolName = keyof typeof inputs;
export type ProposingTool = Exclude<ToolName, 'list-egress-routes' | 'check-proposal'>;
export type ToolInput<Name extends ToolName> = z.output<(typeof inputs)[Name]>;

/** What stands in `structuredContent` of an answer about a proposal. */
const answer = z.object({
  status: key(
    z.enum(['pending', 'approved', 'modified', 'rejected', 'failed', 'expired', 'stale', 'unchanged']),
    'pending: nobody has decided yet. approved, modified: yes, as proposed or with changes; see in_force. rejected, expired: no. failed: approved, but it could not be put in force. stale: the file changed meanwhile; propose anew. unchanged: the file holds this already.',
  ),
  in_force: key(z.boolean(), 'Whether the change holds now.'),
  id: key(z.optional(z.string()), 'The id of the proposal, for check-proposal.'),
  notes: key(z.string(), 'What the operator says to it; may be empty.'),
  final: key(
    z.optional(z.string()),
    'Where the status is modified: what the operator put in place of what was proposed.',
  ),
  expires: key(z.optional(z.string()), 'While it is pending: when silence becomes a no (RFC 3339).'),
});
export type Answer = z.output<typeof answer>;

const ANSWERS =
  'The call waits a while for a person to decide. If nobody has by then, it answers with status "pending" and an id: that is no error, the proposal stays. Ask again with check-proposal, or call this with the same arguments, which finds the same proposal.';

/** The tools in the form of `tools/list`, in an order that stays. */
export const TOOLS = [
  tool('list-egress-routes', {
    title: 'List egress routes',
    description:
      'The routes that egress lets through now, as a routes.yaml. To be allowed more: take this text, edit it, and propose the whole of it with egress-block.',
    output: z.object({ routes_yaml: key(z.string(), 'The routes in force, in the form that egress-block takes.') }),
    isReadOnly: true,
  }),
  tool('egress-block', {
    title: 'Propose egress routes',
    description: `Proposes a new routes.yaml to the operator, for when egress refuses a request (403, "egress: …") that you need. First call list-egress-routes, edit what it gives, and send the whole file. It is checked at once; what is wrong is told with line and column. Ask for as little as will do: one host, the paths and methods that you need.\n\n${ANSWERS}\n\nThe file has a key "routes", a list; the first route that matches decides, and what none matches is refused. Example:\n\nroutes:\n  - host: api.example.com\n    matches:\n      - methods: [GET]\n        paths: [{ type: Prefix, value: /v1 }]\n\nEvery key:\n\n${routesReference()}`,
    output: answer,
  }),
  tool('pipelock-block', {
    title: 'Propose hosts for pipelock',
    description: `Proposes hosts that pipelock, the firewall behind egress, is to let through in addition to those of the routes. You need it only where pipelock refuses a host that egress has let through. Hosts that pass already stay.\n\n${ANSWERS}`,
    output: answer,
  }),
  tool('capability-block', {
    title: 'Propose a change of the Dockerfile',
    description: `Proposes a new Dockerfile for your own container, for when a program or a library is missing. The change needs a rebuild: your container is started anew, so write down first what you must not forget.\n\n${ANSWERS}`,
    output: answer,
  }),
  tool('check-proposal', {
    title: 'Check a proposal',
    description:
      'What has become of a proposal that you made: pending, approved, modified, rejected, and the operator’s notes.',
    output: answer,
    isReadOnly: true,
  }),
];

interface Told {
  readonly title: string;
  readonly description: string;
  readonly output: z.ZodMiniType;
  readonly isReadOnly?: boolean;
}

function tool(name: ToolName, { title, description, output, isReadOnly = false }: Told) {
  return {
    name,
    title,
    description,
    inputSchema: objectSchema(inputs[name]),
    outputSchema: objectSchema(output),
    annotations: {
      title,
      readOnlyHint: isReadOnly,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
  };
}

function objectSchema(schema: z.ZodMiniType): { readonly type: 'object'; readonly [key: string]: unknown } {
  return { ...z.toJSONSchema(schema), type: 'object' };
}

/** Whether there is a tool of this name. */
export function isToolName(name: string): name is ToolName {
  return Object.hasOwn(inputs, name);
}

/** Arguments of a call, checked; or each fault as `justification: …`. */
export function parseInput<Name extends ToolName>(
  name: Name,
  given: unknown,
): { readonly ok: true; readonly input: ToolInput<Name> } | { readonly ok: false; readonly faults: readonly string[] } {
  const schema: z.ZodMiniType = inputs[name];
  const parsed = schema.safeParse(given ?? {});
  // Which schema stands under a name is what ToolInput says of it; the compiler does not follow that through an index.
  if (parsed.success) return { ok: true, input: parsed.data as ToolInput<Name> };
  const faults = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  return { ok: false, faults };
}
