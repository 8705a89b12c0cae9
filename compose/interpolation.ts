/**
 * A value whose texts mean what they say where an engine puts variables in: "$$" stands for "$" in Compose and in `docker stack deploy`
 * (Compose Specification, "Interpolation"), and in command, args and env of Kubernetes (`$(NAME)`).
 */
export function escaped(value: unknown): unknown {
  if (typeof value === 'string') return escapedText(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

export function escapedText(text: string): string {
  return text.replaceAll('$', '$$$$');
}
