import { type Node, placeOf, placeOfKey } from '../../config/node.ts';
import { type Finding, formatPath, type Path } from '../../config/problem.ts';

/** Something that is wrong with the bottle, or hardly meant, by the key that it is about. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
  /** It is the key itself that is wrong, not its value. */
  readonly ofKey?: true;
}

/** Where it stands in the file. */
export function findingOf(root: Node, { path, message, hint, ofKey }: Fault): Finding {
  const offset = ofKey ? placeOfKey(root, path) : placeOf(root, path);
  return { offset, path: formatPath(path), message, hint };
}
