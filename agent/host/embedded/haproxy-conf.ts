// HAProxy's own configuration on an embedded server: a socket to talk to it; everything else is the engine's. Pure.
import { AegirError } from '../../../shared/error.ts';

/** socket: where it is talked to. */
export function renderHaproxyConf(socket: string): string {
  if (!/^[A-Za-z0-9/._-]+$/.test(socket)) {
    throw new AegirError('invalid_argument', `cannot run HAProxy: ${socket} has characters that it gives a meaning`);
  }
  return `# HAProxy of an embedded server. Written by Aegir.
global
  stats socket ${socket} mode 600 level admin expose-fd listeners
`;
}
