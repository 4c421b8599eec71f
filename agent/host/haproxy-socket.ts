// Talks to a running HAProxy over its sockets (management guide, section 9.3: one command, one answer, end).
import { connect } from 'node:net';
import { AegirError } from '../../shared/error.ts';

const TIMEOUT_MS = 5_000;
/** `show stat` has some 500 bytes for each server of each backend. */
const MOST = 16 * 1024 * 1024;

/** Throws unavailable when nobody answers there. */
export function askHaproxy(socket: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: Error) => {
      link.destroy();
      reject(new AegirError('unavailable', `cannot ask HAProxy at ${socket}: ${why}`, { cause }));
    };
    const chunks: Buffer[] = [];
    let size = 0;
    const link = connect(socket, () => link.end(`${command}\n`));
    link.setTimeout(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS / 1000} s`));
    link.on('error', (cause) => fail(cause.message, cause));
    link.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST) fail('its answer is too long');
      else chunks.push(chunk);
    });
    link.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

/** Process id of the worker that answers; undefined when none does. */
export async function workerPid(socket: string): Promise<number | undefined> {
  try {
    const pid = /^Pid: ([0-9]+)$/m.exec(await askHaproxy(socket, 'show info'))?.[1];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}
