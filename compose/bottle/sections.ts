import { at, type Node } from '../../config/node.ts';
import { type Finding, formatPath, type Path } from '../../config/problem.ts';
import { gateFaults } from '../../daemons/git-gate/config/load.ts';
import { policyFaults, policyWarnings } from '../../daemons/mcp-bridge/config/faults.ts';
import type { PolicyFile } from '../../daemons/mcp-bridge/config/schema.ts';
import { routesFaults, routesWarnings } from '../../daemons/routes/rules.ts';
import { type Fault, findingOf } from './fault.ts';
import type { Bottle } from './schema.ts';

/** What the daemons say of their sections, which are files of their own once they are rendered. */
export function* sectionFaults(bottle: Bottle, root: Node): Generator<Finding> {
  const egress = at(root, ['egress']);
  if (egress !== undefined) yield* below('egress', routesFaults(bottle.egress, egress));
  const git = at(root, ['git']);
  if (bottle.git !== undefined && git !== undefined) yield* below('git', gateFaults(bottle.git, git));
  const policy = policyOf(bottle);
  if (policy === undefined) return;
  for (const [path, message, hint] of policyFaults(policy)) {
    yield findingOf(root, { path: inBottle(path), message: renamed(message), ...(hint === undefined ? {} : { hint }) });
  }
}

/** What is allowed there but hardly meant. */
export function* sectionWarnings(bottle: Bottle): Generator<Fault> {
  for (const [path, message] of routesWarnings(bottle.egress)) yield { path: ['egress', ...path], message };
  const policy = policyOf(bottle);
  if (policy === undefined) return;
  for (const [path, message] of policyWarnings(policy)) yield { path: inBottle(path), message: renamed(message) };
}

/** The policy as mcp-bridge reads it; undefined where the bottle has no tools. */
export function policyOf({ name, mcp }: Bottle): PolicyFile | undefined {
  if (mcp === undefined) return undefined;
  return { apiVersion: 'polis.io/v1', kind: 'Policy', metadata: { name }, spec: mcp };
}

function* below(section: string, findings: Iterable<Finding>): Generator<Finding> {
  for (const finding of findings) {
    yield { ...finding, path: finding.path === '' ? section : `${formatPath([section])}.${finding.path}` };
  }
}

/** `spec` of the policy is `mcp` of the bottle. */
function inBottle([, ...rest]: Path): Path {
  return ['mcp', ...rest];
}

/** Messages name other entries by their path in the policy. */
function renamed(message: string): string {
  return message.replaceAll(/\bspec\./g, 'mcp.');
}
