// The agent's own log: JSON lines on standard error, errors with their causes, fields that hold secrets masked.
import { destination, type Level, type Logger, pino, stdSerializers } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECRET_KEYS = ['token', 'password', 'passwordHash', 'salt', 'keyPem', 'jwt', 'seed', 'value'];

export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[secret]' },
    },
    // Synchronous: what was logged before a crash is there.
    destination({ dest: 2, sync: true }),
  );
}
