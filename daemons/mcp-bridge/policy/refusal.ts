import type { JsonObject } from './json.ts';

/** A CallToolResult that tells a model why its call was not made, or why it does not get the answer. */
export function refusedResult(message: string): JsonObject {
  return { content: [{ type: 'text', text: message }], isError: true };
}
