// The one error of Aegir, and how it crosses gRPC: code, message for people, whether a repeat may help.
// Causes are for the log of the process that saw them and never go on the wire.

/** Closed set of codes; names and meanings follow gRPC's status codes. */
export const ERROR_CODES = {
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorOptions {
  readonly cause?: unknown;
  /** True when the same call may succeed later without anybody changing anything. Default: code is unavailable, aborted or deadline_exceeded. */
  readonly retryable?: boolean;
  /** True when what failed has surely changed nothing. Default: false. */
  readonly untouched?: boolean;
}

/** Message form: `cannot <verb> <thing>: <why>`, then `; <what to do next>` where we know it. */
export class AegirError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly untouched: boolean;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AegirError';
    this.code = code;
    this.retryable =
      options.retryable ?? (code === 'unavailable' || code === 'aborted' || code === 'deadline_exceeded');
    this.untouched = options.untouched ?? false;
  }
}

/** The same error, of something that has surely changed nothing. */
export function asUntouched(error: AegirError): AegirError {
  const { code, message, retryable, cause } = error;
  return new AegirError(code, message, { retryable, untouched: true, cause: cause ?? error });
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

/** Any thrown thing as an AegirError: our own pass unchanged, others become `internal` with themselves as cause. */
export function toAegirError(thrown: unknown, doing: string): AegirError {
  if (thrown instanceof AegirError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new AegirError('cancelled', `cannot ${doing}: it was cancelled`, {
      cause: thrown,
    });
  }
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new AegirError('internal', `cannot ${doing}: ${why}`, {
    cause: thrown,
  });
}
