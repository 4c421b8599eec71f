// Whether a TCP port is reached from here: connects, closes at once, sends nothing.
import { connect } from 'node:net';

/** open: it took the connection; silent: no answer in time, as behind a firewall; unreachable: there is no way there. */
export type Knocked = 'open' | 'refused' | 'silent' | 'unreachable';

const WITHIN_MS = 3000;

export function knock(address: string, port: number, signal: AbortSignal, withinMs = WITHIN_MS): Promise<Knocked> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (answer: Knocked) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(answer);
    };
    const stop = () => end('silent');
    const timer = setTimeout(stop, withinMs);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => end('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code === 'ECONNREFUSED' ? 'refused' : error.code === 'ETIMEDOUT' ? 'silent' : 'unreachable');
    });
    if (signal.aborted) stop();
  });
}
