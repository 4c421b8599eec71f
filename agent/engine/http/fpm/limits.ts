// The limits of one site's PHP pool: defaults and bounds of PhpSpec. Web servers use them too, so that no daemon on the
// way is stricter or more lenient than the next. Pure.
import { AegirError } from '../../../../shared/error.ts';
import type { PhpSpec } from '../../../../shared/gen/aegir/v1/spec.ts';

export interface PhpLimits {
  readonly children: number;
  readonly memoryBytes: bigint;
  readonly bodyBytes: bigint;
  /** max_execution_time: what the script itself may use. */
  readonly seconds: number;
  /** What a request may take in all, waiting for others included; then the pool ends it. */
  readonly wallSeconds: number;
  /** How long the web server waits: longer than the pool, so that the pool's end is what it sees. */
  readonly serverSeconds: number;
}

const MIB = 1024n * 1024n;

export function phpLimits(php: PhpSpec | undefined): PhpLimits {
  const seconds = bounded(php?.maxExecutionSeconds ?? 0, 60, 1, 86_400, 'seconds of execution');
  return {
    children: bounded(php?.maxChildren ?? 0, 5, 1, 500, 'PHP processes'),
    // Less than 16 MiB runs no app at all; PHP and nginx count in signed 64 bits.
    memoryBytes: bounded(php?.memoryLimitBytes ?? 0n, 256n * MIB, 16n * MIB, MIB * MIB, 'bytes of memory'),
    bodyBytes: bounded(php?.maxBodyBytes ?? 0n, 64n * MIB, 1n, MIB * MIB, 'bytes of request body'),
    seconds,
    wallSeconds: seconds + 10,
    serverSeconds: seconds + 20,
  };
}

/** 0 stands for the default. */
function bounded<T extends number | bigint>(value: T, byDefault: T, least: T, most: T, what: string): T {
  if (!value) return byDefault;
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  if (whole && value >= least && value <= most) return value;
  throw new AegirError('invalid_argument', `cannot allow ${value} ${what}: it must be between ${least} and ${most}`);
}
