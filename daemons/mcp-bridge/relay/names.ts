/** Between the name of a tool, which has no "_", and a name of its own. */
const BETWEEN = '__';

/** The name of a tool's tool or prompt where all tools are served together. */
export function joinName(tool: string, name: string): string {
  return `${tool}${BETWEEN}${name}`;
}

/** Undefined where no tool is named. */
export function splitName(joined: string): { readonly tool: string; readonly name: string } | undefined {
  const at = joined.indexOf(BETWEEN);
  return at < 1 ? undefined : { tool: joined.slice(0, at), name: joined.slice(at + BETWEEN.length) };
}

const SCHEME = 'mcp-tool:';

/** The URI of a tool's resource (or the template of some) where all tools are served together. */
export function joinUri(tool: string, uri: string): string {
  return `${SCHEME}${tool}/${uri}`;
}

export function splitUri(joined: string): { readonly tool: string; readonly name: string } | undefined {
  const slash = joined.indexOf('/');
  if (!joined.startsWith(SCHEME) || slash <= SCHEME.length) return undefined;
  return { tool: joined.slice(SCHEME.length, slash), name: joined.slice(slash + 1) };
}
