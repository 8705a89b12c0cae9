import { startOrder } from './order.ts';
import type { Bundle, Dependency } from './schema.ts';

export type GraphFormat = 'text' | 'mermaid' | 'dot';

/** Daemons in layers: each may start once those of the layers before it hold. In the order of the file within a layer. */
export function startLayers(bundle: Bundle): readonly (readonly string[])[] {
  return startOrder(Object.keys(bundle.daemons), (name) => Object.keys(bundle.daemons[name]?.depends_on ?? {})).layers;
}

/** The dependencies of a valid bundle: an indented text, a Mermaid flowchart, or a graph for Graphviz. Ends in a newline. */
export function renderGraph(bundle: Bundle, format: GraphFormat): string {
  return `${RENDERERS[format](bundle).join('\n')}\n`;
}

const RENDERERS: Readonly<Record<GraphFormat, (bundle: Bundle) => readonly string[]>> = { text, mermaid, dot };

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly dependency: Dependency;
}

function edgesOf(bundle: Bundle): readonly Edge[] {
  return Object.entries(bundle.daemons).flatMap(([from, spec]) =>
    Object.entries(spec.depends_on).map(([to, dependency]) => ({ from, to, dependency })),
  );
}

/** `started`, `healthy`, `completed`: the condition in one word. */
export function conditionWord({ condition }: Pick<Dependency, 'condition'>): string {
  return condition === 'service_completed_successfully' ? 'completed' : condition.slice('service_'.length);
}

function text(bundle: Bundle): readonly string[] {
  const layers = startLayers(bundle);
  const width = Math.max(0, ...layers.flat().map((name) => name.length));
  return layers.flatMap((layer, index) =>
    layer.map((name, position) => {
      const needs = Object.entries(bundle.daemons[name]?.depends_on ?? {}).map(
        ([need, dependency]) => `${need} (${conditionWord(dependency)}${dependency.required ? '' : ', if it can'})`,
      );
      const number = position === 0 ? `${index + 1}.` : '';
      return `${number.padEnd(4)}${needs.length === 0 ? name : `${name.padEnd(width)}  ← ${needs.join(', ')}`}`;
    }),
  );
}

/** Drawn from what starts first to what waits for it. Names hold no quotes (see NAME). */
function mermaid(bundle: Bundle): readonly string[] {
  const ids = new Map(Object.keys(bundle.daemons).map((name, index) => [name, `d${index}`]));
  return [
    'flowchart LR',
    ...[...ids].map(([name, id]) => `  ${id}${bundle.daemons[name]?.essential ? `[["${name}"]]` : `["${name}"]`}`),
    ...edgesOf(bundle).map(({ from, to, dependency }) => {
      const arrow = dependency.required ? '-->' : '-.->';
      return `  ${ids.get(to)} ${arrow}|${conditionWord(dependency)}| ${ids.get(from)}`;
    }),
  ];
}

function dot(bundle: Bundle): readonly string[] {
  return [
    `digraph "${bundle.name}" {`,
    '  rankdir=LR;',
    ...Object.entries(bundle.daemons).map(
      ([name, { essential }]) => `  "${name}" [shape=box${essential ? ', peripheries=2' : ''}];`,
    ),
    ...edgesOf(bundle).map(({ from, to, dependency }) => {
      const style = dependency.required ? '' : ', style=dashed';
      return `  "${to}" -> "${from}" [label="${conditionWord(dependency)}"${style}];`;
    }),
    '}',
  ];
}
