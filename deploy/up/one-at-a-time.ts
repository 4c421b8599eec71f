// One `up` for each directory: a second one says so at once, instead of falling over the first one's processes.
import { createServer } from 'node:net';
import { sha256Hex } from '../../shared/digest.ts';

/** Answers what gives it back. The lock is an abstract UNIX socket: the kernel frees it, whatever ends this process. */
export async function takeDirectory(dir: string): Promise<() => void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = `it runs already for ${dir}; stop it there with Ctrl-C, or start another with --dir DIR`;
      reject(error.code === 'EADDRINUSE' ? new Error(taken) : error);
    });
    server.listen(`\0aegir-up-${sha256Hex(Buffer.from(dir)).slice(0, 32)}`, resolve);
  });
  return () => void server.close();
}
