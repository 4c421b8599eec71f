// Asks daemons on this machine whether they answer.
import { connect } from 'node:net';

const PROBE_MS = 2_000;

/** True when the peer sends anything within two seconds, after being sent `say`. */
function answers(target: { host: string; port: number } | { path: string }, say: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    const end = (good: boolean): void => {
      socket.destroy();
      resolve(good);
    };
    socket.setTimeout(PROBE_MS, () => end(false));
    socket.once('connect', () => say !== '' && socket.write(say));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

export function answersHttp(host: string, port: number): Promise<boolean> {
  return answers({ host, port }, 'GET / HTTP/1.1\r\nHost: probe.invalid\r\nConnection: close\r\n\r\n');
}

/** A database server greets first. */
export function greetsOn(path: string): Promise<boolean> {
  return answers({ path }, '');
}
