// One agent per directory. The lock is an abstract UNIX socket: the kernel frees it whatever ends the agent.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { AegirError } from '../../../shared/error.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** dir must be a real path: two names of one directory are one lock. */
export function lockDirectory(dir: string): Promise<DirectoryLock> {
  const name = `\0aegir-host-${createHash('sha256').update(dir).digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const busy = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const why = busy ? 'another agent holds it; stop that one first' : cause.message;
      reject(new AegirError('failed_precondition', `cannot run an embedded server in ${dir}: ${why}`, { cause }));
    });
    server.listen({ path: name }, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}
