/** What is known of a tool's processes, for probes and people. */
export type ToolState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly processes: number }
  /** `since` in milliseconds since the epoch. */
  | { readonly kind: 'failing'; readonly reason: string; readonly since: number };
