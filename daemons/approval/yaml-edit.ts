import { type Document, isMap, isScalar, isSeq, parseDocument } from 'yaml';

/** Adds a finding to `allow` of git-gate.yaml, unless it is there; comments stay. */
export function withAllowedFinding(text: string | undefined, fingerprint: string, reason: string): string {
  const document = documentOf(text);
  const list: unknown = document.get('allow');
  if (isSeq(list)) {
    if (list.items.some((item) => isMap(item) && item.get('fingerprint') === fingerprint)) return text ?? '';
    list.add(document.createNode({ fingerprint, reason }));
  } else document.set('allow', document.createNode([{ fingerprint, reason }]));
  return written(document);
}

/** Makes `extra_hosts` of pipelock.yaml name these hosts and no others; comments beside those that stay, stay. */
export function withExtraHosts(text: string | undefined, hosts: readonly string[]): string {
  const document = documentOf(text);
  const list: unknown = document.get('extra_hosts');
  if (!isSeq(list)) document.set('extra_hosts', document.createNode([...hosts]));
  else {
    const scalarOf = (item: unknown): unknown => (isScalar(item) ? item.value : item);
    const there = new Set(list.items.map(scalarOf));
    if (there.size === hosts.length && hosts.every((host) => there.has(host))) return text ?? '';
    list.items = list.items.filter((item) => hosts.some((host) => host === scalarOf(item)));
    for (const host of hosts) if (!there.has(host)) list.add(document.createNode(host));
  }
  return written(document);
}

/** Throws where the text is no YAML map, which cannot be added to. */
function documentOf(text: string | undefined): Document {
  const document: Document = parseDocument(text ?? '');
  const [fault] = document.errors;
  if (fault !== undefined) throw new Error(fault.message.split('\n', 1)[0] ?? 'it is not YAML');
  if (document.contents === null) document.contents = document.createNode({});
  if (!isMap(document.contents)) throw new Error('it holds no keys');
  return document;
}

function written(document: Document): string {
  if (isMap(document.contents)) document.contents.flow = false;
  return document.toString({ lineWidth: 0 });
}
