// Errors on the wire: code and message for whoever called, causes and surprises for our log only.
import { Metadata, type ServerErrorResponse } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AegirError, ERROR_CODES, toAegirError } from '../../shared/error.ts';

export type SessionLog = Pick<Logger, 'info' | 'warn' | 'error'>;

export function statusOf(log: SessionLog, path: string, thrown: unknown): ServerErrorResponse {
  const error = toAegirError(thrown, 'answer the call');
  const surprise = error.code === 'internal' || error.code === 'unknown';
  if (surprise) log.error({ path, err: thrown }, error.message);
  const details =
    surprise && !(thrown instanceof AegirError)
      ? 'cannot answer the call: an internal error; see the log of the master'
      : error.message;
  return { code: ERROR_CODES[error.code], details, message: details, name: 'Error', metadata: new Metadata() };
}
