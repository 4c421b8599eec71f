// What the agent and its workers say to each other.
import type { ErrorCode } from '../../shared/error.ts';
import type { Duties } from './duties.ts';

export interface WorkerOrder {
  readonly id: number;
  readonly duty: keyof Duties;
  readonly order: unknown;
  /** One number that becomes 1 when the work shall stop; undefined for what nobody stops. */
  readonly stop: SharedArrayBuffer | undefined;
}

export type Told = { readonly id: number } & (
  | { readonly is: 'progress'; readonly bytes: number }
  | { readonly is: 'warning'; readonly text: string }
  | { readonly is: 'wanted' }
  | { readonly is: 'done'; readonly answer: unknown }
  | {
      readonly is: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryable: boolean;
      readonly untouched: boolean;
    }
);
