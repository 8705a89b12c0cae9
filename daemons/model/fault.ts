/** Why there is no answer of a model. Times in milliseconds. */
export type SidecarLlmFault =
  /** The total deadline passed while the model worked on it. */
  | { readonly kind: 'timeout'; readonly deadline_ms: number }
  /** Nobody took the question until the deadline: refused, reset, or still warming up. `last`: what was seen at last. */
  | { readonly kind: 'unavailable'; readonly attempts: number; readonly last: string }
  /** The API does not want it: an unknown model, a wrong key, a question that is too long. Asking again does not help. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }
  /** An answer without text. `finish`: the API's `finish_reason`. */
  | { readonly kind: 'empty'; readonly finish: string | undefined }
  /** What came is not what the API promises. */
  | { readonly kind: 'malformed'; readonly detail: string }
  /** JSON was asked for, and the text is none. */
  | { readonly kind: 'not-json' }
  | { readonly kind: 'too-large'; readonly most_bytes: number }
  /** A stream ended in the middle. */
  | { readonly kind: 'cut-off'; readonly detail: string }
  /** The caller's signal was aborted. */
  | { readonly kind: 'cancelled' };

/** What every call of the client rejects with. The message is a sentence for a person, and holds nothing of the question. */
export class SidecarLlmError extends Error {
  readonly fault: SidecarLlmFault;

  constructor(fault: SidecarLlmFault) {
    super(sentenceOf(fault));
    this.name = 'SidecarLlmError';
    this.fault = fault;
  }
}

function sentenceOf(fault: SidecarLlmFault): string {
  switch (fault.kind) {
    case 'timeout':
      return `the model did not answer within ${fault.deadline_ms / 1000} s`;
    case 'unavailable':
      return `the model could not be reached in ${fault.attempts} ${fault.attempts === 1 ? 'attempt' : 'attempts'}; at last: ${fault.last}`;
    case 'refused':
      return `the model server refused with ${fault.status}: ${fault.detail}`;
    case 'empty':
      return `the model answered nothing${fault.finish === undefined ? '' : ` (finish_reason ${fault.finish})`}`;
    case 'malformed':
      return `the model server does not answer as the API says: ${fault.detail}`;
    case 'not-json':
      return 'the model answered something else than JSON';
    case 'too-large':
      return `the answer is longer than ${fault.most_bytes} bytes`;
    case 'cut-off':
      return `the answer was cut off: ${fault.detail}`;
    case 'cancelled':
      return 'the call was cancelled';
  }
}
