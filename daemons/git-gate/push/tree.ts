/** One entry of a tree object: a name, and what stands there. */
export interface TreeEntry {
  readonly mode: string;
  readonly name: Buffer;
}

/**
 * The entries of a tree as git stores them: mode, space, name, NUL, id (gitformat-pack(5) has the packs, the tree itself
 * is in "Git Internals - Git Objects"). `idBytes` is 20 for SHA-1 and 32 for SHA-256. Throws where it is cut.
 */
export function* treeEntries(bytes: Buffer, idBytes: number): Generator<TreeEntry> {
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + 1 + idBytes > bytes.length) throw new Error('a tree of the push is damaged');
    yield { mode: bytes.toString('latin1', at, space), name: bytes.subarray(space + 1, end) };
    at = end + 1 + idBytes;
  }
}
