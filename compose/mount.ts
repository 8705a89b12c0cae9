/** A mount as Compose writes it: `SOURCE:/PATH[:ro]`. */
export interface Mount {
  /** A path, absolute or relative to bottle.yaml, or the name of a volume. */
  readonly source: string;
  readonly kind: 'bind' | 'volume';
  readonly target: string;
  readonly readOnly: boolean;
}

/** Takes a mount apart that the schema has let pass. */
export function parseMount(written: string): Mount {
  const [source = '', target = '', mode] = written.split(':');
  return { source, kind: /^[./~]/.test(source) ? 'bind' : 'volume', target, readOnly: mode === 'ro' };
}
